"""What differs between two runs in one figure: over the same answers, with an interval and an exact test. Pure.

A metric's figure in each report is that of its worst system prompt, which need not be the same of both runs. So the
difference is taken over every answer that both gave, and a question counts once: by its mean over the system prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from toolkit.compare.ability.ledger import holm
from toolkit.compare.metrics import ProbeResult, Z, ratio, same_reply, sign_test
from toolkit.compare.report.filters import OVER, measured_group
from toolkit.compare.report.pair.pair import Pair, Question
from toolkit.core.text import repetition
from toolkit.runs.comparison import HIGHER_IS_BETTER, RATIO

RATIOS = ("kl", "agreement", "length", "repetition")  # with a bootstrapped interval, as in a report
MEASURED = tuple(name for name in OVER if name != "noise_floor")  # which is the base model's own


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`value`: right minus left; `low`, `high`: its 95 % interval; `left`, `right`: both over the same `answers`.

    `left_better`, `right_better`: questions, of `questions`; `p`: the exact sign test over them, two-sided. Of length,
    which is neither better nor worse, they count the questions with the longer answers on that side.
    """

    left: float
    right: float
    value: float
    low: float | None
    high: float | None
    questions: int
    answers: int
    left_better: int
    right_better: int
    p: float
    significant: bool = False  # among all figures of the pair

    def better(self, name: str) -> str:
        """The side that is significantly better; empty if neither is."""
        if not self.significant or name == RATIO:
            return ""
        return "right" if self.right_better > self.left_better else "left"


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Of one question's answer on both sides: sums, and what they are divided by."""

    id: str
    left: float
    right: float
    weight: float


def differences(pair: Pair) -> dict[str, Difference]:
    """Of each metric that was measured for answers of both runs."""
    found: dict[str, Difference] = {}
    for name in MEASURED:
        if measured := [one for question in pair.both if (one := _measured(name, question)) is not None]:
            found[name] = _difference(name, measured)
    significant = holm({name: one.p for name, one in found.items() if name != RATIO})
    return {name: replace(one, significant=name in significant) for name, one in found.items()}


def separates(name: str, one: Question) -> bool:
    """Whether this question's two answers differ in the metric: it is behind the metric's difference."""
    found = _measured(name, one)
    return found is not None and found.left != found.right


def _measured(name: str, one: Question) -> _Measured | None:
    left, right = one.left, one.right
    if left is None or right is None or measured_group(left) not in OVER[name]:
        return None
    first, second = _value(name, left), _value(name, right)
    if first is None or second is None or not first[1]:
        return None
    return _Measured(id=left.probe.question, left=first[0], right=second[0], weight=first[1])


def _value(name: str, one: ProbeResult) -> tuple[float, float] | None:
    """The answer's part of the metric, and of what that is divided by; None if it was not measured."""
    if name in ("kl", "agreement"):
        drift = one.drift
        if drift is None:
            return None
        return (drift.kl_sum if name == "kl" else float(drift.agreeing)), float(drift.tokens)
    if name == "length":
        return float(len(one.after)), float(len(one.before))
    if name == "repetition":
        return repetition(one.after) - repetition(one.before), 1.0
    if name == "tool_locality":
        return float(same_reply(one)), 1.0
    holds = {"residue": one.residual, "leakage": one.leaked, "locality": not one.changed}.get(name, one.passed)
    return None if holds is None else (float(holds), 1.0)


def _difference(name: str, measured: Sequence[_Measured]) -> Difference:
    sums: dict[str, list[float]] = {}
    for one in measured:
        so_far = sums.setdefault(one.id, [0.0, 0.0, 0.0])
        for at, value in enumerate((one.left, one.right, one.weight)):
            so_far[at] += value
    if name in RATIOS:
        weight = sum(one.weight for one in measured)
        left, right = (sum(getattr(one, side) for one in measured) / weight for side in ("left", "right"))
        spread = ratio([(one.right - one.left, one.weight) for one in measured], [one.id for one in measured])
        low, high = spread.low, spread.high
    else:
        means = [(first / weight, second / weight) for first, second, weight in sums.values()]
        left, right = (sum(one[at] for one in means) / len(means) for at in (0, 1))
        low, high = paired_interval([second - first for first, second in means])
    up = sum(second > first for first, second, _ in sums.values())
    down = sum(second < first for first, second, _ in sums.values())
    rising = name in HIGHER_IS_BETTER or name == RATIO
    return Difference(
        left=left, right=right, value=right - left, low=low, high=high, questions=len(sums), answers=len(measured),
        left_better=down if rising else up, right_better=up if rising else down, p=sign_test(up, down),
    )  # fmt: skip


def paired_interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of differences between -1 and 1, one a question.

    Wald's interval with two more questions, one in each direction, so that it has a width where nothing differs: of
    differences that are -1, 0 or 1, that of Bonett and Price (2012).
    """
    n = len(differences) + 2
    mean = sum(differences) / n
    half = Z * ((sum(one * one for one in differences) + 2) / n - mean**2) ** 0.5 / n**0.5
    return max(mean - half, -1.0), min(mean + half, 1.0)
