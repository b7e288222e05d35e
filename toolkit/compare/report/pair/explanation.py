"""Why two verdicts differ, in a sentence: rows, probes, settings, versions. Reads only."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from toolkit.core.documents import read_text
from toolkit.core.text import one_line, short
from toolkit.runs.comparison import ComparisonRecord, read_comparison
from toolkit.runs.layout import QUESTIONS_FILE, TRAINED_FILE
from toolkit.runs.run import Run
from toolkit.runs.runs import flat, verdict_word

MOST_NAMED = 4  # settings, and versions
NOT_COMPARED = "not compared"
NOTHING = "rows, probes, settings, versions and device are the same"


def explanation(first: Run, second: Run) -> str:
    """Such as `From passed (v1) to moved (v2), with these changes: 3 rows were added, epochs 10 → 5.`

    The changes are all that a verdict may depend on; which of them mattered, two runs cannot say.
    """
    sides = [read_comparison(run.folder) for run in (first, second)]
    words = [NOT_COMPARED if one is None else verdict_word(one.verdict.to_dict()) for one in sides]
    names = [run.run_id.partition("-")[0] for run in (first, second)]
    same = words[0] == words[1]
    verdicts = f"Both {words[0]}" if same else f"From {words[0]} ({names[0]}) to {words[1]} ({names[1]})"
    changes = [*_rows(first, second), *_probes(*sides), *_settings(first, second), *_surroundings(first, second)]
    listed = f"with these changes: {', '.join(changes)}" if changes else f"though {NOTHING}"
    return one_line(f"{verdicts}, {listed}.")


def _rows(first: Run, second: Run) -> Iterator[str]:
    for name, one, many in ((TRAINED_FILE, "row", "rows"), (QUESTIONS_FILE, "question", "questions")):
        before, after = (_lines(run, name) for run in (first, second))
        if before is None or after is None:
            continue
        for count, verb in (((after - before).total(), "added"), ((before - after).total(), "removed")):
            if count:
                yield f"{count} {one} was {verb}" if count == 1 else f"{count} {many} were {verb}"


def _lines(run: Run, name: str) -> Counter[str] | None:
    """A training writes its rows in one form, so lines can be compared; None for a file that cannot be read."""
    try:
        return Counter(line for line in read_text(run.folder / name).split("\n") if line.strip())
    except (OSError, ValueError):
        return Counter() if name == QUESTIONS_FILE and run.record.questions is None else None


def _probes(first: ComparisonRecord | None, second: ComparisonRecord | None) -> Iterator[str]:
    if first is None or second is None:
        return
    if first.probe_file.sha256 != second.probe_file.sha256:
        yield "other probes were asked"
    if first.schema_version != second.schema_version:
        yield f"the report's schema {first.schema_version} → {second.schema_version}"
    changed = _changes(dict(first.thresholds), dict(second.thresholds))
    yield from (f"the limit of {change}" for change in changed)


def _settings(first: Run, second: Run) -> Iterator[str]:
    yield from _changes(*({"base model": _base(run)} | flat(run.record.recipe.settings) for run in (first, second)))


def _base(run: Run) -> str:
    base = run.record.base_model
    return f"{base.name}{' in 4 bits' if base.load_in_4bit else ''} {(base.revision or '')[:12]}".strip()


def _surroundings(first: Run, second: Run) -> Iterator[str]:
    yield from _changes(
        *({"device": run.record.hardware.name or run.record.hardware.device, **run.record.versions}
          for run in (first, second))
    )  # fmt: skip


def _changes(first: dict[str, Any], second: dict[str, Any]) -> Iterator[str]:
    """`epochs 10 → 5` for each value that both have and do not share; of many, the first few and their number."""
    names = [name for name, value in first.items() if name in second and second[name] != value]
    for name in names[:MOST_NAMED]:
        yield f"{name} {_text(first[name])} → {_text(second[name])}"
    if len(names) > MOST_NAMED:
        yield f"{len(names) - MOST_NAMED} more"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else short(str(value))
