"""Which process a command becomes, and what is printed of it."""

import subprocess
import sys
from pathlib import Path

from tests.fakes.surroundings import QWEN
from toolkit.swift_compat.__main__ import process, redacted
from toolkit.swift_compat.command_line import parse


def test_one_process_becomes_the_script_and_several_are_left_to_ms_swift():
    sft = parse(["sft", "--model", QWEN])

    alone, several = process(sft, {}), process(sft, {"NPROC_PER_NODE": "2"})

    assert Path(alone[1]).parts[-3:] == ("swift", "cli", "sft.py")
    assert alone[2:] == ["--model", QWEN]
    assert several == [sys.executable, "-P", "-m", "swift.cli.main", "sft", "--model", QWEN]
    assert process(parse(["sft", "train.yaml"]), {})[3] == "swift.cli.main"
    assert process(parse(["merge-lora"]), {})[1].endswith("merge_lora.py")
    assert process(parse(["infer"]), {})[3] == "toolkit.swift_compat.run_script"


def test_a_secret_is_not_shown_again():
    assert (
        redacted(parse(["export", "--hub_token", "s3cret", "--push_to_hub"]))
        == "export --hub_token '***' --push_to_hub"
    )
    assert "s3cret" not in redacted(parse(["export", "--hub_token=s3cret"]))


def test_it_imports_no_heavy_library():
    heavy = "{'torch', 'swift', 'transformers', 'click', 'yaml'}"
    code = f"import sys, toolkit.swift_compat.__main__; sys.exit(bool({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
