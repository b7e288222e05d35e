"""The name of every file and folder within a run. The only module that spells them."""

import json
import re
import shlex
from pathlib import Path

from toolkit.core.files import file_sha256

DEFAULT_OUTPUT = Path("output")  # where runs go when no --output says otherwise
RUN_SCHEMA_VERSION = 1
REPORT_SCHEMA_VERSION = 1
RECORD = "run.json"
LATEST = "latest"
NAME = re.compile(r"v(\d+)-\d{8}-\d{6}")
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
PROBES_FILE = "probes.yaml"
TRAINED_FILE, HELD_OUT_FILE = "train.jsonl", "eval.jsonl"
LOG_FILE = "logging.jsonl"  # in the run's folder, a JSON object a step
EXPORT_MANIFEST = "export.json"  # beside merged weights: what they were merged from
ADAPTER_FILE = "adapter_model.safetensors"
COMPARISON = "compare"
REPORT = "report.json"


def whole_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints with an adapter and the trainer's state, which is written last; the latest last."""
    found = [
        (int(match[1]), path)
        for path in folder.iterdir()
        if (match := CHECKPOINT.fullmatch(path.name))
        and (path / ADAPTER_FILE).is_file()
        and _is_json(path / "trainer_state.json")
    ]
    return [path for _, path in sorted(found)]


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # missing, or cut off by a full disk or a kill
        return False
    return True


def adapter_sha256(adapter: Path | None) -> str | None:
    return None if adapter is None else file_sha256(adapter / ADAPTER_FILE)


def output_option(output: Path) -> str:
    """` --output FOLDER`, for a command that a message suggests; empty for the default folder."""
    if output.absolute() == DEFAULT_OUTPUT.absolute():
        return ""
    return f" --output {shlex.quote(str(output))}"
