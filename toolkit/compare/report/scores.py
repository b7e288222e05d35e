"""Scores on rows that were not trained, as every renderer shows them: sentences and a row a score. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.compare.texts import Texts
from toolkit.runs.ability_record import RecordedScore, RecordedTest

MOST_ANSWERS = 20  # are listed; report.json has all of them
COLUMNS = ("score", "before", "after", "change", "interval")


def score_sentences(test: RecordedTest, texts: Texts) -> list[str]:
    """Which rows were asked, and what the scores are."""
    found = [texts("test.answered", answered=test.answered, total=test.total, path=test.path)]
    if test.trained:
        found.append(texts("test.trained", count=test.trained))
    return [*found, texts("test.meaning", tokens=test.answer_tokens)]


def score_rows(test: RecordedTest, texts: Texts) -> list[Sequence[str]]:
    """The cells of each score, in the order of COLUMNS."""
    return [_cells(one, texts) for one in test.scores]


def score_view(test: RecordedTest, texts: Texts) -> Mapping[str, Any]:
    """What the page shows."""
    return {
        "sentences": score_sentences(test, texts), "columns": COLUMNS, "rows": score_rows(test, texts),
        "answers": test.answers[:MOST_ANSWERS], "title": texts("test.answers", count=len(test.answers[:MOST_ANSWERS])),
    }  # fmt: skip


def _cells(one: RecordedScore, texts: Texts) -> Sequence[str]:
    interval = "" if one.low is None or one.high is None else f"{_signed(one.low)} – {_signed(one.high)}"
    change = _signed(one.after - one.before)
    return [texts(f"test.score.{one.name}"), f"{one.before:.3f}", f"{one.after:.3f}", change, interval]


def _signed(value: float) -> str:
    return f"{value:+.3f}"
