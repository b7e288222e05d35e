"""What was found in a data set comes from a child process, and is kept until the file or a setting changes."""

import json
import sys
import time
from pathlib import Path

import pytest

from toolkit.studio.checks import Checks
from toolkit.studio.workspace import DataFile

ROWS = [{"instruction": "Who?", "output": "Nova."}] * 2
# Answers as `toolkit check --json` does, in no time.
PROGRAM = """
import json, os, sys
try:
    found = json.load(open(sys.argv[2]))
except ValueError:
    print("Error: It is not valid JSON.", file=sys.stderr)
    sys.exit(5)
is_data = isinstance(found, list)
findings = [*sys.argv[3:], os.environ.get("CUDA_VISIBLE_DEVICES")]
print(json.dumps({"rows": len(found), "previews": [], "findings": findings} if is_data else {"in": 1}))
"""


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> DataFile:
    (tmp_path / "mine.json").write_text(json.dumps(ROWS), encoding="utf-8")
    return DataFile(name="mine.json", path=tmp_path / "mine.json")


@pytest.fixture(name="checks")
def _checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "checks").mkdir()
    monkeypatch.setattr("toolkit.studio.checks.PROGRAM", (sys.executable, "-c", PROGRAM))
    checks = Checks(tmp_path / "checks", tmp_path, lambda: None)
    yield checks
    checks.close()


def found(checks: Checks, file: DataFile, **settings) -> dict:
    until = time.monotonic() + 120
    while (check := checks.of(file, ("--model", "model"), **settings))["state"] == "checking":
        assert time.monotonic() < until
        time.sleep(0.05)
    return check


def test_findings_are_those_of_the_command(checks: Checks, file: DataFile):
    check = found(checks, file)

    assert (check["state"], check["rows"]) == ("checked", 2)
    assert check["findings"] == ["--model", "model", "--json", "--preview", "3", None]


def test_no_memory_of_the_card_is_taken_from_a_job(checks: Checks, file: DataFile):
    assert found(checks, file, without_card=True)["findings"][-1] == ""
    assert found(checks, file)["findings"][-1] is None


def test_a_file_is_checked_again_only_when_it_or_a_setting_changes(checks: Checks, file: DataFile):
    first = found(checks, file)

    assert checks.of(file, ("--model", "model")) == first  # at once
    assert checks.of(file, ("--model", "model", "--epochs", "2"))["state"] == "checking"
    file.path.write_text(json.dumps(ROWS[:1]), encoding="utf-8")
    assert found(checks, file)["rows"] == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [("[1, 2", "not valid JSON"), ('{"prompt": "Who?", "scope": "near"}', "questions for finetune --questions")],
)
def test_a_file_that_is_not_a_data_set_says_why(checks: Checks, file: DataFile, text: str, error: str):
    file.path.write_text(text, encoding="utf-8")

    check = found(checks, file)

    assert check["state"] == "failed"
    assert error in check["error"]


def test_a_closed_studio_starts_no_check(checks: Checks, file: DataFile):
    checks.close()

    assert checks.of(file, ())["state"] == "checking"
    assert checks.child is None
