"""A pair's numbers as the page and the terminal write them. Pure."""

from toolkit.compare.report.figures import figure
from toolkit.compare.report.pair.abilities import AbilityDifference
from toolkit.compare.report.pair.pair import LEFT, RIGHT, SIDES, Pair
from toolkit.compare.texts import Texts


def counts(pair: Pair, texts: Texts) -> dict[str, str]:
    """What the page says first, by the name of the answers behind each part."""
    names = {side: pair.of(side).name for side in SIDES}
    better = {side: sum(one.better == side for one in pair.both) for side in SIDES}
    alike = len(pair.both) - sum(better.values())
    return {
        "better-right": texts("pair.better", right=names[RIGHT], count=better[RIGHT], n=len(pair.both)),
        "better-left": texts("pair.worse", left=names[LEFT], count=better[LEFT]),
        "alike": texts("pair.alike", count=alike),
    }


def signed(value: float) -> str:
    """A difference with its sign; 0 without."""
    return "0" if value == 0 else f"{'+' if value > 0 else '−'}{figure(abs(value))}"


def span(low: float | None, high: float | None) -> str:
    """The interval of a difference; empty without one."""
    return "" if low is None or high is None else f"{signed(low)} … {signed(high)}"


def points(value: float) -> str:
    """Percentage points with their sign and one decimal."""
    return f"{value:+.1f}".replace("-", "−") if round(value, 1) else "0.0"


def p_value(p: float, texts: Texts) -> str:
    """Two digits."""
    return texts("pair.p", p=f"{p:.2g}")


def ability_total(one: AbilityDifference, pair: Pair, texts: Texts) -> str:
    """The total of the shipped items, in a sentence."""
    return texts(
        "pair.ability.total", n=one.n, left=one.left, right=one.right, left_name=pair.left.name,
        right_name=pair.right.name, points=points(one.points), low=points(one.low), high=points(one.high),
        left_only=one.left_only, right_only=one.right_only, p=f"{one.p:.2g}",
    )  # fmt: skip
