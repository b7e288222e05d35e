"""Whether a figure's 95 % interval decides its threshold, how many probes do, and how many more would. Pure.

A limit counts as met only if the complete interval is on its good side. For what must be kept that is equivalence by
confidence-interval inclusion (two one-sided tests, Schuirmann 1987): the upper limit of the change is within the
limit, which a lack of significance does not show. A verdict needs all of its tests, so each keeps its level
(intersection-union test, Berger 1982). The level is one-sided 2.5 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from toolkit.compare.metrics import SHARES, Flips, Metric, Z
from toolkit.compare.texts import Texts
from toolkit.data.probes import DEFAULT_THRESHOLDS, DEPTH_METRICS
from toolkit.runs.comparison import worst

Decision = Literal["met", "missed", "open"]
TOOK_AT_LEAST = ("reliability", "generality")
DEEP = tuple(DEPTH_METRICS.values())  # judged where the probe file sets a threshold
MOST_PROBES = 10_000  # of a figure so close to its limit that more would be needed, it is not said how many
LEAST_RESAMPLED = 40  # over 20 as skewed as drift is, a bootstrapped upper limit is too low in one case of four
LEAST = 64  # where the number is chosen: of 64 answers that are all right, the share is known within 3 points


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What the headline says: answers, each counted under the system prompt where its metric is worst.

    `learned` of `in_scope` ones are as expected; `unshown`: why that does not show that they were learned, known or
    chance, see `Unmeasured`; `mostly_known`: most of them were so before; `verbatim`: nothing was asked in other words,
    though that has a limit.
    Of `outside` answers, `leaked` (None without markers) and `changed`.
    """

    learned: int = 0
    unshown: str | None = None
    mostly_known: Flips | None = None
    verbatim: bool = False
    in_scope: int = 0
    leaked: int | None = None
    changed: int = 0
    outside: int = 0
    leak_limit: float | None = None
    change_limit: float | None = None

    def phrase(self, texts: Texts) -> str:
        """`42 of 44 learned; 2 of 56 unrelated answers leaked (limit 2 %), 4 changed`."""
        return "".join(
            text if at == 0 else f"{self.join(name, texts)}{text}"
            for at, (name, text) in enumerate(self.parts(texts).items())
        )

    def parts(self, texts: Texts) -> dict[str, str]:
        """`learned`, `leaked` and `changed`, without what was not measured."""
        found = {"learned": self._learned_phrase(texts)} if self.in_scope else {}
        if self.outside and self.leaked is not None:
            leaked = texts("counts.leaked", count=self.leaked, n=self.outside)
            found["leaked"] = leaked + _limited(self.leak_limit, texts)
        if self.outside:
            key = "counts.only_changed" if self.leaked is None else "counts.changed"
            changed = texts(key, count=self.changed, n=self.outside)
            found["changed"] = changed + _limited(self.change_limit, texts)
        return found

    def _learned_phrase(self, texts: Texts) -> str:
        shown = {"count": self.learned, "n": self.in_scope}
        if self.unshown and self.learned:
            return texts(f"counts.{self.unshown}", **shown)
        if self.mostly_known is not None:
            return texts("counts.newly", **shown, gained=self.mostly_known.gained, asked=self.mostly_known.n)
        return texts(f"counts.{'verbatim' if self.verbatim else 'learned'}", **shown)

    def join(self, name: str, texts: Texts) -> str:
        """What stands before that part, if it is not the first."""
        return texts("counts.and" if name == "changed" and self.leaked is not None else "counts.then")


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A half of the verdict of which no figure tells whether it was learned, or kept. As a reason.

    Or there are figures that do not tell. known: the base model answered as expected already; chance: but for what
    chance explains, see `expected`; drift: unrelated answers are known not to leak, and not how far they moved.
    """

    metric: Literal["took", "kept"]
    why: Literal["unmeasured", "known", "chance", "drift"] = "unmeasured"
    expected: Flips | None = None
    system: str | None = None
    missed: bool = False

    def reason(self, texts: Texts) -> str:
        one = self.expected
        values = {} if one is None else {"gained": one.gained, "lost": one.lost, "n": one.n, "p": f"{one.p:.2g}"}
        return texts(f"reason.{self.metric}_{self.why}", **values)


def not_shown(expected: Flips | None) -> list[Unmeasured]:
    """What answers as expected do not show, if the base model gave them too; None: it was not the side before."""
    if expected is None or expected.shows_gain:
        return []
    return [Unmeasured(metric="took", why="chance" if expected.gained else "known", expected=expected)]


def drift_not_known(
    per_system: Mapping[str, Mapping[str, Metric]], thresholds: Mapping[str, float]
) -> list[Unmeasured]:
    """Between two models drift is not measured; then nearly all answers must be the same, or locality have a limit."""
    limited = [name for name in ("kl", "agreement") if name in thresholds]
    if not limited or "locality" in thresholds:
        return []
    measured = any(metrics[name].n for metrics in per_system.values() for name in limited)
    moved = [metrics["locality"] for metrics in per_system.values() if metrics["locality"].n]
    if measured or not moved:
        return []
    needed = thresholds.get("agreement", DEFAULT_THRESHOLDS["agreement"])
    alike = all(one.low is not None and one.low >= needed for one in moved)
    return [] if alike else [Unmeasured(metric="kept", why="drift")]


def _limited(limit: float | None, texts: Texts) -> str:
    return "" if limit is None else texts("counts.limit", limit=f"{limit * 100:.3g}")


def counted(thresholds: Mapping[str, float]) -> list[str]:
    """The metrics whose answers the headline counts as learned: at depth, those that are judged."""
    return [*TOOK_AT_LEAST, *(name for name in DEEP if name in thresholds)]


def counts_of(
    per_system: Mapping[str, Mapping[str, Metric]], thresholds: Mapping[str, float], expected: Flips | None
) -> Counts:
    """`expected`: as in `not_shown`."""
    found = {name: metric for name, (_, metric) in worst(per_system).items()}
    names = [name for name in counted(thresholds) if name in found]
    inside = [found[name] for name in names]
    leakage, locality = found.get("leakage"), found.get("locality")
    kept = thresholds.get("locality")
    learned, in_scope = sum(one.count for one in inside), sum(one.n for one in inside)
    # By shares: the worst system prompt of each metric has other counts than all of them together.
    mostly_known = expected is not None and 2 * expected.gained * in_scope < learned * expected.n
    return Counts(
        learned=learned,
        unshown=next((one.why for one in not_shown(expected)), None),
        mostly_known=expected if mostly_known else None,
        verbatim="generality" in thresholds and names == ["reliability"],
        in_scope=in_scope,
        leaked=None if leakage is None else leakage.count,
        changed=0 if locality is None else locality.n - locality.count,
        outside=0 if locality is None else locality.n,
        leak_limit=thresholds.get("leakage"),
        change_limit=None if kept is None else 1 - kept,
    )


def decide(name: str, metric: Metric, limit: float, *, at_least: bool) -> Decision:
    """Met or missed if the interval is on one side of the limit, else open; without an interval the value decides.

    By fewer than LEAST_RESAMPLED probes a bootstrapped figure meets no limit: such an interval ends too early where
    drift may still be, and by one probe there is none.
    """
    few = name not in SHARES and metric.probes is not None and metric.probes < LEAST_RESAMPLED
    if few and metric.probes == 1:
        return "open"
    value = metric.value or 0.0
    low = value if metric.low is None else metric.low
    high = value if metric.high is None else metric.high
    if low < high and value == limit == (1.0 if at_least else 0.0):
        return decide(name, metric, _usual(name, at_least=at_least), at_least=at_least)
    worse, better = (low, high) if at_least else (-high, -low)
    needed = limit if at_least else -limit
    if better < needed:
        return "missed"
    return "met" if worse >= needed and not few else "open"


def _usual(name: str, *, at_least: bool) -> float:
    """For a limit at the end of the scale, which no interval is within: nothing may go wrong in what this one takes."""
    return DEFAULT_THRESHOLDS.get(name, 0.9 if at_least else 0.05)


def more_probes(name: str, metric: Metric, limit: float) -> int | None:
    """How many further probes would bring the interval to one side of the limit, if the value stays; at least 1.

    Of a share: Wilson's interval leaves out the limit from n = z² · limit (1 − limit) / (value − limit)² on; of a known
    number in all, fewer do, and all of them always. Of other metrics, whose intervals are bootstrapped, half the width
    falls with the square root of the number.
    None if the value is at the limit, or so close that no reasonable number would do.
    """
    value, bounds = metric.value, (metric.low, metric.high)
    if value is None or not metric.probes:
        return None
    fewest = 1 if name in SHARES else max(LEAST_RESAMPLED - metric.probes, 1)
    if None in bounds:
        return fewest if fewest > 1 else None
    left = None if metric.population is None else metric.population - metric.probes
    if value == limit in (0.0, 1.0):
        limit = _usual(name, at_least=limit == 1)
    if value == limit:
        return left
    if name in SHARES:
        needed = Z**2 * limit * (1 - limit) / (value - limit) ** 2
    else:
        bound = bounds[0] if value > limit else bounds[1]
        needed = metric.probes * ((value - (bound or 0.0)) / (value - limit)) ** 2
    if metric.population is not None:
        needed *= metric.population / (metric.population - 1 + needed)
    more = max(math.floor(needed) + 1 - metric.probes, fewest)
    if left is not None:
        return min(more, left)
    return None if more > MOST_PROBES else more


def enough_for(limit: float | None, most: int) -> int:
    """So many answers, none of them wrong, that the interval ends within this share of wrong ones; at most `most`."""
    needed = math.floor(Z**2 * (1 - limit) / limit) + 1 if limit else most
    return min(max(needed, LEAST), most)
