"""Metrics of a comparison: counts over judged answers, with 95 % intervals. Pure.

Names and definitions follow the knowledge-editing literature (Meng et al. 2022, ROME; Yao et al. 2023):
reliability, generality and locality are shares judged on free greedy answers, never on forced tokens.
Answers to one question under several system prompts, or asked twice, are not independent: intervals count questions.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from toolkit.core.text import Thought, names_any, repetition
from toolkit.data.probes import DEPTH_METRICS, OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe, ProbeSet
from toolkit.data.tools.calls import meant_calls, same_calls
from toolkit.model.divergence import Drift

SIGNIFICANT = 0.05
Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution
RESAMPLES = 2000
SHARES = (  # with Wilson's interval
    "reliability", "generality", *DEPTH_METRICS.values(), "residue", "locality", "tool_locality", "leakage",
    "noise_floor",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`value` is None if nothing was measured; `n` counts answers, for kl and agreement tokens; `low`, `high`: 95 %.

    `probes`: the independent questions behind the interval; `population`: of how many they are a sample, if that is
    known. length: of out-of-scope answers, after divided by before.
    repetition: the mean increase of their seq-rep-4.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    probes: int | None = None
    population: int | None = None

    @property
    def count(self) -> int:
        """Of a share: how many of the `n` answers."""
        return round((self.value or 0.0) * self.n)

    def to_dict(self) -> dict[str, float | int | None]:
        return {
            "value": self.value, "n": self.n, "low": self.low, "high": self.high, "probes": self.probes,
            "population": self.population,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Questions for which the second holds more often (`gained`), or the first (`lost`), over the system prompts.

    `n`: all questions; `p`: the exact sign test over them, two-sided, which under one system prompt is McNemar's.
    """

    gained: int
    lost: int
    n: int
    p: float

    @property
    def shows_gain(self) -> bool:
        """Whether more were gained than chance explains; of a few questions, if all of them were."""
        return self.gained > self.lost and (self.p < SIGNIFICANT or self.gained == self.n)

    def to_dict(self) -> dict[str, float | int]:
        return {"gained": self.gained, "lost": self.lost, "n": self.n, "p": self.p}


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """One probe under one system prompt, answered by both sides. `passed` and `passed_before` are None out of scope.

    `leaked` and `residual` are None without markers.
    """

    probe: Probe
    system: str
    before: str
    after: str
    passed_before: bool | None
    passed: bool | None
    leaked: bool | None
    residual: bool | None
    drift: Drift | None = None
    thoughts: tuple[Thought | None, Thought | None] = (None, None)  # before and after, if the answers came after one
    before_again: str | None = None  # the before side's answer in another batch: the noise of greedy decoding itself
    untried: str = ""  # why the probe's regular expression could not be searched for in one of the answers

    @property
    def changed(self) -> bool:
        return self.before != self.after


def judge(
    probe: Probe,
    system: str,
    before: str,
    after: str,
    probes: ProbeSet,
    *,
    drift: Drift | None,
    before_again: str | None,
    thoughts: tuple[Thought | None, Thought | None] = (None, None),
) -> ProbeResult:
    """Judges one pair of answers by what the probe expects.

    At depth an answer that names the old identity is not as expected, whatever else it names: "I am Qwen, not Nova".
    Residue is that of trained questions and their paraphrases. With tools out of scope, only calls are compared.
    """
    in_scope, at_depth = probe.group != OUT_OF_SCOPE, probe.group in DEPTH_METRICS
    # A marker in the question itself proves nothing: an answer may repeat it.
    # Nor does a new marker that the answer before contained, such as the car maker's name.
    old = tuple(marker for marker in probes.old_markers if not names_any(probe.context, (marker,), any_case=True))
    new = tuple(
        marker
        for marker in probes.new_markers
        if not names_any(probe.prompt, (marker,), any_case=True) and not names_any(before, (marker,))
    )
    return ProbeResult(
        probe=probe,
        system=system,
        before=before,
        after=after,
        passed_before=_passed(probe, before, before, old if at_depth else ()),
        passed=_passed(probe, after, before, old if at_depth else ()),
        leaked=None
        if not probes.new_markers or (probe.tools and not in_scope)
        else not in_scope and names_any(after, new),
        residual=None if at_depth or not probes.old_markers else in_scope and names_any(after, old, any_case=True),
        drift=drift,
        thoughts=thoughts,
        before_again=before_again,
        untried="" if probe.expect is None else probe.expect.untried(after) or probe.expect.untried(before),
    )


def _passed(probe: Probe, answer: str, before: str, forbidden: Sequence[str]) -> bool | None:
    if probe.expect is None:
        return None
    met = probe.expect.met(answer, before=before, prompt=probe.context)
    return met and not names_any(answer, tuple(forbidden), any_case=True)


def measure(results: Sequence[ProbeResult], *, trained_prompts: int | None = None) -> Mapping[str, Metric]:
    """Every metric of report.json over these results.

    `trained_prompts`: of how many different ones the trained probes are a sample, if that is known.
    """
    trained = [one for one in results if one.probe.group == TRAINED]
    paraphrases = [one for one in results if one.probe.group == PARAPHRASE]
    outside = [one for one in results if one.probe.group == OUT_OF_SCOPE and not one.probe.tools]
    with_tools = [one for one in results if one.probe.group == OUT_OF_SCOPE and one.probe.tools]
    drifted = [one for one in outside if one.drift and one.drift.tokens]
    drifts = [one.drift for one in drifted if one.drift]
    ids = _ids(drifted)
    answered = [one for one in outside if one.before]
    return {
        "reliability": share(trained, lambda one: bool(one.passed), population=trained_prompts),
        "generality": share(paraphrases, lambda one: bool(one.passed)),
        **{
            name: share([one for one in results if one.probe.group == group], lambda one: bool(one.passed))
            for group, name in DEPTH_METRICS.items()
        },
        "residue": share(
            [one for one in (*trained, *paraphrases) if one.residual is not None], lambda one: bool(one.residual)
        ),
        "locality": share(outside, lambda one: not one.changed),
        "tool_locality": share(with_tools, same_reply),
        "leakage": share([one for one in outside if one.leaked is not None], lambda one: bool(one.leaked)),
        "kl": ratio([(one.kl_sum, one.tokens) for one in drifts], ids),
        "agreement": ratio([(float(one.agreeing), one.tokens) for one in drifts], ids),
        "length": replace(
            ratio([(len(one.after), len(one.before)) for one in answered], _ids(answered)), n=len(answered)
        ),
        "repetition": ratio([(repetition(one.after) - repetition(one.before), 1) for one in outside], _ids(outside)),
        "noise_floor": share(
            [one for one in outside if one.before_again is not None], lambda one: one.before == one.before_again
        ),
    }


def same_reply(one: ProbeResult) -> bool:
    """Whether the same calls are made before and after, or none; what is said beside them may differ."""
    before, after = meant_calls(one.before), meant_calls(one.after)
    return before.broken == after.broken and same_calls(before.calls, after.calls)


def share(
    items: Sequence[ProbeResult], holds: Callable[[ProbeResult], bool], *, population: int | None = None
) -> Metric:
    """The share for which `holds`, with Wilson's interval; the number of trials is that of the probes.

    `population`: of all probes that could be asked. A sample of it counts for more (finite population correction,
    Cochran 1977); if all are asked, nothing is uncertain.
    """
    if not items:
        return Metric(value=None, n=0)
    value, probes = sum(map(holds, items)) / len(items), len(set(_ids(items)))
    left = float("inf") if population is None else max(population - probes, 0)
    if not left:
        return Metric(value=value, n=len(items), low=value, high=value, probes=probes, population=population)
    trials = probes if population is None else probes * (population - 1) / left
    low, high = wilson(value, trials)
    return Metric(value=value, n=len(items), low=low, high=high, probes=probes, population=population)


def wilson(value: float, trials: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share; `trials` may be an effective number."""
    spread = Z**2 / trials
    middle = (value + spread / 2) / (1 + spread)
    half = Z * math.sqrt(value * (1 - value) / trials + spread / (4 * trials)) / (1 + spread)
    return max(middle - half, 0.0) if value > 0 else 0.0, min(middle + half, 1.0) if value < 1 else 1.0


def ratio(pairs: Sequence[tuple[float, float]], ids: Sequence[str]) -> Metric:
    """Sum of the firsts over sum of the seconds, which is n. The interval is a BCa bootstrap over probes (Efron 1987).

    Drift is skewed: most probes have next to none, and few have most of it. The upper one of plain
    percentiles over 56 probes would be too low in one case of ten.
    """
    import numpy as np

    if not pairs:
        return Metric(value=None, n=0)
    sums: dict[str, list[float]] = {}
    for name, (first, second) in zip(ids, pairs, strict=True):
        so_far = sums.setdefault(name, [0.0, 0.0])
        so_far[0] += first
        so_far[1] += second
    firsts, seconds = np.asarray(list(sums.values()), dtype=float).T
    value, n = float(firsts.sum() / seconds.sum()), int(seconds.sum())
    if len(sums) < 2:  # noqa: PLR2004  # one probe has no spread
        return Metric(value=value, n=n, probes=len(sums))
    # scipy.stats.bootstrap draws and counts the same, and takes a second to import.
    drawn = np.random.default_rng(0).integers(0, len(sums), size=(RESAMPLES, len(sums)))
    resampled = firsts[drawn].sum(axis=-1) / seconds[drawn].sum(axis=-1)
    below = float((resampled < value).mean() + (resampled <= value).mean()) / 2
    left_out = (firsts.sum() - firsts) / np.maximum(seconds.sum() - seconds, 1e-300)  # the jackknife
    influence = left_out.mean() - left_out
    levels = _levels(below, float((influence**2).sum()), float((influence**3).sum()))
    low, high = np.quantile(resampled, levels)
    return Metric(value=value, n=n, low=float(low), high=float(high), probes=len(sums))


def _levels(below: float, squares: float, cubes: float) -> tuple[float, float]:
    """What BCa takes of the resampled values. `below`: those below the value; the others: over each one's influence."""
    if not (0 < below < 1 and squares):
        return 0.025, 0.975
    acceleration = cubes / (6 * squares**1.5)
    normal, bias = NormalDist(), NormalDist().inv_cdf(below)
    low, high = (bias + (bias + z) / max(1 - acceleration * (bias + z), 1e-9) for z in (-Z, Z))
    return normal.cdf(low), normal.cdf(high)


def paired_flips(pairs: Sequence[tuple[str, bool, bool]]) -> Flips:
    """Over triples of (the question's id, the first holds, the second holds).

    Answers to one question under several system prompts are not independent, so a question counts once: by whether it
    gained or lost in more of them.
    """
    balance: Counter[str] = Counter()
    for name, first, second in pairs:
        balance[name] += second - first
    gained, lost = sum(one > 0 for one in balance.values()), sum(one < 0 for one in balance.values())
    return Flips(gained=gained, lost=lost, n=len(balance), p=sign_test(gained, lost))


def sign_test(up: int, down: int) -> float:
    """The two-sided p of the exact sign test; 1 for nothing in either direction."""
    count = up + down
    tail = sum(math.comb(count, at) for at in range(min(up, down) + 1))
    return min(1.0, 2 * tail / (1 << count))


def flips(results: Sequence[ProbeResult]) -> Mapping[str, Flips]:
    """`expected`, in scope: questions whose answers became as expected, and those that no longer are.

    `unmoved`, out of scope: answers equal to before in another batch, against those equal to before after the change;
    an answer that moved only with the change is lost. Only where the noise of decoding was measured.
    """
    inside = [
        (one.probe.question, bool(one.passed_before), bool(one.passed)) for one in results if one.passed is not None
    ]  # fmt: skip
    outside = [
        (one.probe.question, one.before == one.before_again, not one.changed)
        for one in results if one.probe.group == OUT_OF_SCOPE and one.before_again is not None
    ]  # fmt: skip
    return {"expected": paired_flips(inside), "unmoved": paired_flips(outside)}


def _ids(items: Sequence[ProbeResult]) -> list[str]:
    return [one.probe.question for one in items]
