"""The embedded model, fine-tuned by the default recipe and compared: made once, for all tests of a process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.command import Ended, Shell


@dataclass(frozen=True, kw_only=True)
class TunedRun:
    """A run below `shell.home / "output"`, and how the two commands that made it ended."""

    shell: Shell
    folder: Path
    finetuned: Ended
    compared: Ended

    @property
    def output(self) -> Path:
        return self.folder.parent

    @property
    def report(self) -> dict[str, Any]:
        return read_report(self.folder / "compare")


def make_tuned_run(shell: Shell) -> TunedRun:
    finetuned = shell.run("toolkit", "finetune", "self_cognition.json", "--model", "tiny-qwen2")
    assert finetuned.code == 0, finetuned.err
    folder = shell.home / finetuned.out.strip()
    return TunedRun(shell=shell, folder=folder, finetuned=finetuned, compared=shell.run("toolkit", "compare"))


def read_report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report
