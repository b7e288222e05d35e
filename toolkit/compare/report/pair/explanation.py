"""Why two verdicts differ, in a sentence: rows, probes, settings, versions. Reads only."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.compare.texts import Texts
from toolkit.core.documents import read_text
from toolkit.core.text import one_line, short
from toolkit.runs.comparison import ComparisonRecord
from toolkit.runs.layout import QUESTIONS_FILE, TRAINED_FILE
from toolkit.runs.own_comparison import own_comparison
from toolkit.runs.run import Run
from toolkit.runs.runs import flat, verdict_key

MOST_NAMED = 4  # settings, and versions
NOT_COMPARED = "not_compared"


def explanation(first: Run, second: Run, texts: Texts | None = None) -> str:
    """Such as `From passed (v1) to moved (v2), with these changes: 3 rows were added, epochs 10 → 5.`

    The changes are all that a verdict may depend on; which of them mattered, two runs cannot say.
    """
    t = texts or Texts()
    sides = [own_comparison(run).record for run in (first, second)]
    words = [NOT_COMPARED if one is None else verdict_key(one.verdict.to_dict()) for one in sides]
    before, after = (t(f"why.word.{word}") for word in words)
    names = [run.run_id.partition("-")[0] for run in (first, second)]
    verdicts = (
        t("why.both", word=before) if before == after
        else t("why.from_to", before=before, after=after, first=names[0], second=names[1])
    )  # fmt: skip
    changes = [
        *_rows(first, second, t), *_probes(sides, t), *_settings(first, second, t),
        *_surroundings(first, second, t),
    ]  # fmt: skip
    listed = t("why.changes", changes=t("why.and").join(changes)) if changes else t("why.nothing")
    return one_line(f"{verdicts}{listed}")


def _rows(first: Run, second: Run, t: Texts) -> Iterator[str]:
    for name, kind in ((TRAINED_FILE, "row"), (QUESTIONS_FILE, "question")):
        before, after = (_lines(run, name) for run in (first, second))
        if before is None or after is None:
            continue
        for count, verb in (((after - before).total(), "added"), ((before - after).total(), "removed")):
            if count:
                yield t(f"why.{kind}.{verb}" if count == 1 else f"why.{kind}s.{verb}", count=count)


def _lines(run: Run, name: str) -> Counter[str] | None:
    """A training writes its rows in one form, so lines can be compared; None for a file that cannot be read."""
    try:
        return Counter(line for line in read_text(run.folder / name).split("\n") if line.strip())
    except (OSError, ValueError):
        return Counter() if name == QUESTIONS_FILE and run.record.questions is None else None


def _probes(sides: Sequence[ComparisonRecord | None], t: Texts) -> Iterator[str]:
    first, second = sides
    if first is None or second is None:
        return
    if first.probe_file.sha256 != second.probe_file.sha256:
        yield t("why.probes")
    if first.schema_version != second.schema_version:
        yield t("why.schema", first=first.schema_version, second=second.schema_version)
    limits = [dict(one.thresholds) for one in (first, second)]
    yield from (t("why.limit", change=change) for change in _changes(limits, t))


def _settings(first: Run, second: Run, t: Texts) -> Iterator[str]:
    settings = [{t("about.model"): _base(run, t)} | flat(run.record.recipe.settings) for run in (first, second)]
    yield from _changes(settings, t)


def _base(run: Run, t: Texts) -> str:
    base = run.record.base_model
    bits = f" {t('why.in_4bit')}" if base.load_in_4bit else ""
    return f"{base.name}{bits} {(base.revision or '')[:12]}".strip()


def _surroundings(first: Run, second: Run, t: Texts) -> Iterator[str]:
    places = [
        {t("why.device"): run.record.hardware.name or run.record.hardware.device, **run.record.versions}
        for run in (first, second)
    ]  # fmt: skip
    yield from _changes(places, t)


def _changes(pair: Sequence[dict[str, Any]], t: Texts) -> Iterator[str]:
    """`epochs 10 → 5` for each value that both have and do not share; of many, the first few and their number."""
    first, second = pair
    names = [name for name, value in first.items() if name in second and second[name] != value]
    for name in names[:MOST_NAMED]:
        yield f"{name} {_text(first[name])} → {_text(second[name])}"
    if len(names) > MOST_NAMED:
        yield t("why.more", count=len(names) - MOST_NAMED)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else short(str(value))
