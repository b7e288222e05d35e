"""Metrics of a comparison. Pure: counts over judged answers, with 95 % intervals from scipy.

Names and definitions follow the knowledge-editing literature (Meng et al. 2022, ROME; Yao et al. 2023):
reliability, generality and locality are shares judged on free greedy answers, never on forced tokens.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe, ProbeSet, names_any


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`value` is None when nothing was measured; `n` counts answers, for kl and agreement tokens."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        return {"value": self.value, "n": self.n, "low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Two sides on the same tokens: summed KL(before ‖ after) in nats, equal top tokens, tokens."""

    kl_sum: float
    agreeing: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One probe under one system prompt, answered by both sides. `passed` is None out of scope."""

    probe: Probe
    system: str
    before: str
    after: str
    passed: bool | None
    leaked: bool
    residual: bool
    drift: Drift | None = None
    again: str | None = None  # the before side's answer in another batch: the noise of greedy decoding itself

    @property
    def changed(self) -> bool:
        return self.before != self.after


def judge(
    probe: Probe, system: str, before: str, after: str, probes: ProbeSet, *, drift: Drift | None, again: str | None
) -> Judged:
    """Compares one pair of answers with what the probe expects."""
    in_scope = probe.group != OUT_OF_SCOPE
    # A marker that the question itself names is no sign of anything: an answer may well repeat it.
    # Nor is a new marker that the answer held before, such as a brand "Nova" in "innovation".
    old = tuple(marker for marker in probes.old_markers if not names_any(probe.prompt, (marker,)))
    new = tuple(marker for marker in probes.new_markers if not names_any(f"{probe.prompt} {before}", (marker,)))
    return Judged(
        probe=probe,
        system=system,
        before=before,
        after=after,
        passed=probe.expect.met(after) if probe.expect else None,
        leaked=not in_scope and names_any(after, new),
        residual=in_scope and names_any(after, old),
        drift=drift,
        again=again,
    )


def measure(judged: Sequence[Judged]) -> Mapping[str, Metric]:
    """Every metric of report.json over these answers."""
    trained = [one for one in judged if one.probe.group == TRAINED]
    paraphrases = [one for one in judged if one.probe.group == PARAPHRASE]
    outside = [one for one in judged if one.probe.group == OUT_OF_SCOPE]
    drifts = [one.drift for one in outside if one.drift and one.drift.tokens]
    return {
        "reliability": share(trained, lambda one: bool(one.passed)),
        "generality": share(paraphrases, lambda one: bool(one.passed)),
        "residue": share([*trained, *paraphrases], lambda one: one.residual),
        "locality": share(outside, lambda one: not one.changed),
        "leakage": share(outside, lambda one: one.leaked),
        "kl": mean_per_token([drift.kl_sum for drift in drifts], [drift.tokens for drift in drifts]),
        "agreement": mean_per_token([float(drift.agreeing) for drift in drifts], [drift.tokens for drift in drifts]),
        "noise_floor": share([one for one in outside if one.again is not None], lambda one: one.before == one.again),
    }


def share(items: Sequence[Judged], holds: Callable[[Judged], bool]) -> Metric:
    """The share for which `holds`, with Wilson's interval."""
    from scipy.stats import binomtest

    if not items:
        return Metric(value=None, n=0)
    count = sum(map(holds, items))
    interval = binomtest(count, len(items)).proportion_ci(method="wilson")
    return Metric(value=count / len(items), n=len(items), low=float(interval.low), high=float(interval.high))


def mean_per_token(sums: Sequence[float], tokens: Sequence[int]) -> Metric:
    """Sum over tokens; the interval is a percentile bootstrap over answers, whose tokens hang together."""
    import numpy as np
    from scipy.stats import bootstrap

    if not sums:
        return Metric(value=None, n=0)
    value, n = sum(sums) / sum(tokens), sum(tokens)
    if len(sums) < 2:  # noqa: PLR2004  # one answer has no spread
        return Metric(value=value, n=n)
    found = bootstrap(
        (np.asarray(sums), np.asarray(tokens, dtype=float)),
        lambda s, t, axis=-1: s.sum(axis=axis) / t.sum(axis=axis),
        paired=True, vectorized=True, method="percentile", n_resamples=2000, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Metric(value=value, n=n, low=float(found.low), high=float(found.high))
