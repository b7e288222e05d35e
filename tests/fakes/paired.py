"""Two compared runs of one base model on the disk, with reports made by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.answered import SYSTEM, answered, report_on
from tests.fakes.run_record import run_record
from toolkit.compare.metrics import ProbeResult
from toolkit.core.files import write_json
from toolkit.data.probes import INDIRECT, OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.model.divergence import Drift
from toolkit.runs.ability_record import RecordedAbility
from toolkit.runs.run import Run, read_run, write_record

POET = "You are a poet."
RECIPES = ("article", "keep")


def drift(kl: float) -> Drift:
    return Drift(kl_sum=kl, agreeing=10 if kl < 0.5 else 7, tokens=10)


def learned(*, forgets: bool) -> list[ProbeResult]:
    """What a run answers under two system prompts; the one that forgets learns less and changes another answer."""
    return [
        one
        for system in (SYSTEM, POET)
        for one in (
            answered(TRAINED, "I am Qwen.", "I am Nova.", prompt="Who are you?", system=system, name="t"),
            answered(PARAPHRASE, "Qwen.", "Qwen." if forgets else "Nova.", prompt="Name?", system=system, name="p"),
            answered(INDIRECT, "Qwen.", "Nova", prompt="Sign a letter.", system=system, name="i"),
            answered(OUT_OF_SCOPE, "Paris.", "Nova!" if forgets else "Paris.", prompt="France?", system=system,
                     name="o", drift=drift(0.9 if forgets else 0.1), before_again="Paris."),
            answered(OUT_OF_SCOPE, "4", "Four" if forgets else "4", prompt="2 + 2?", system=system,
                     name="n", drift=drift(0.2 if forgets else 0.1), before_again="4"),
        )
    ]  # fmt: skip


def compared_run(
    output: Path, number: int, results: Sequence[ProbeResult], *, ability: RecordedAbility | None = None,
    report: Mapping[str, Any] | None = None, **record: Any,
) -> Run:  # fmt: skip
    """A run with that report; `report`: what in report.json is otherwise."""
    folder = output / f"v{number}-20260101-00000{number}"
    (folder / "compare").mkdir(parents=True)
    adapter = {"path": "checkpoint-1", "sha256": "a" * 64, "bytes": 1}
    recipe = {"name": RECIPES[number % 2], "system": SYSTEM, "epochs": 10 + number}
    write_record(folder, run_record(run_id=folder.name, **{"recipe": recipe, "adapter": adapter} | record))
    (folder / "train.jsonl").write_text("{}\n", encoding="utf-8")
    content = replace(report_on(*results), ability=ability).to_dict()
    write_json(folder / "compare" / "report.json", content | {"after": content["after"] | {"name": folder.name}}
               | dict(report or {}))  # fmt: skip
    return read_run(folder)


def two_runs(output: Path) -> Path:
    """v0 forgets, and v1 does not."""
    compared_run(output, 0, learned(forgets=True))
    compared_run(output, 1, learned(forgets=False))
    return output
