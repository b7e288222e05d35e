"""The embedded model, fine-tuned by the default recipe and compared: of what is made once each process gets a copy."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fakes.command import Ended, Shell
from tests.fakes.made_once import made_once


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
    with made_once("tuned") as kept:
        return _made(shell) if kept is None else _copied(shell, kept)


def _made(shell: Shell) -> TunedRun:
    finetuned = shell.run("toolkit", "finetune", "self_cognition.json", "--model", "tiny-qwen2")
    assert finetuned.code == 0, finetuned.err
    return _tuned(shell, finetuned, shell.run("toolkit", "compare"))


def _copied(shell: Shell, kept: Path) -> TunedRun:
    output, ended = shell.home / "output", kept / "ended.json"
    if ended.is_file():
        shutil.copytree(kept / "output", output, symlinks=True)
        return _tuned(shell, *(Ended(**one) for one in json.loads(ended.read_text(encoding="utf-8"))))
    made = _made(shell)
    shutil.copytree(output, kept / "output", symlinks=True)
    ended.write_text(json.dumps([asdict(made.finetuned), asdict(made.compared)]), encoding="utf-8")
    return made


def _tuned(shell: Shell, finetuned: Ended, compared: Ended) -> TunedRun:
    folder = shell.home / finetuned.out.strip()
    return TunedRun(shell=shell, folder=folder, finetuned=finetuned, compared=compared)


def read_report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report
