"""The parity gate: does what was exported answer as the adapter does?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolkit.core.text import contains_any
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, Probe, ProbeSet
from toolkit.model.language_model import Answer


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """`same`: the least share of answers equal to the adapter's; `kept`: of those that pass, the least still passing.

    `strayed`: the largest share of answers with a marker out of place that the adapter's has not: by default what a
    verdict allows a fine-tune itself.
    """

    same: float
    kept: float
    strayed: float = DEFAULT_THRESHOLDS["leakage"]


# Stated in docs/export.md, with what was measured.
TOLERANCES: Mapping[str, Tolerance] = {
    "q8_0": Tolerance(same=0.8, kept=0.98),
    "q4_k_m": Tolerance(same=0.3, kept=0.9),
    "int8": Tolerance(same=0.5, kept=0.95),
    "fp8": Tolerance(same=0.5, kept=0.95),
    "nf4": Tolerance(same=0.3, kept=0.9),
    "int4": Tolerance(same=0.3, kept=0.9),
}
# Above these the difference is no rounding. bfloat16 keeps 8 bits: logits around 30 are exact to about 0.1 a layer.
LARGEST_LOGIT_DIFFERENCE = {"bfloat16": 1.0, "float16": 0.25, "float32": 0.01}


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """`margin`: the adapter side's gap between its two best tokens where the answers part."""

    prompt: str
    adapter_answer: str
    merged_answer: str
    margin: float


@dataclass(frozen=True, kw_only=True)
class Parity:
    """`near_ties` are answers that part where rounding explains it; `mismatches` are those that it does not."""

    probes: int
    same: int
    near_ties: int
    mismatches: tuple[Mismatch, ...]
    largest_logit_difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return not self.mismatches and self.largest_logit_difference <= self.tolerance

    @property
    def why(self) -> str:
        """The first mismatch and the drift, in words."""
        drift = f"largest logit difference {self.largest_logit_difference:.2g} (at most {self.tolerance:g})"
        if not self.mismatches:
            return drift
        return f"{len(self.mismatches)} of {self.probes} probes, the first {self.mismatches[0].prompt!r}; {drift}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "holds": self.holds,
            "probes": self.probes,
            "same": self.same,
            "near_ties": self.near_ties,
            "mismatches": len(self.mismatches),
            "largest_logit_difference": self.largest_logit_difference,
            "tolerance": self.tolerance,
        }


def judge_parity(prompts: Sequence[str], adapter: Sequence[Answer], merged: Sequence[Answer], dtype: str) -> Parity:
    """`dtype`: the type that the merged weights are stored in."""
    tolerance = LARGEST_LOGIT_DIFFERENCE[dtype]
    largest = max(
        float((one.first_logits - other.first_logits).abs().max()) for one, other in zip(adapter, merged, strict=True)
    )
    same, near_ties, mismatches = 0, 0, []
    for prompt, one, other in zip(prompts, adapter, merged, strict=True):
        if one.tokens == other.tokens:
            same += 1
            continue
        margin = one.margins[parting(one.tokens, other.tokens)]
        if margin <= 2 * min(largest, tolerance):
            near_ties += 1
        else:
            mismatches.append(
                Mismatch(prompt=prompt, adapter_answer=one.text, merged_answer=other.text, margin=margin)
            )  # fmt: skip
    return Parity(
        probes=len(prompts), same=same, near_ties=near_ties, mismatches=tuple(mismatches),
        largest_logit_difference=largest, tolerance=tolerance,
    )  # fmt: skip


def parting(one: Sequence[int], other: Sequence[int]) -> int:
    """The first position at which the two differ."""
    shared = min(len(one), len(other))
    return next((at for at in range(shared) if one[at] != other[at]), shared)


@dataclass(frozen=True, kw_only=True)
class QuantisedParity:
    """`passed`: probes that the adapter's answers pass; `kept`: those of them that the artifact's pass too.

    `strayed`: prompts whose answer leaks a new marker or holds an old one where the adapter's does not.
    """

    probes: int
    same: int
    passed: int
    kept: int
    strayed: tuple[str, ...]
    lost: tuple[str, ...]
    largest_logit_difference: float
    tolerance: Tolerance

    @property
    def _shares(self) -> tuple[float, float, float]:
        return (
            self.same / self.probes if self.probes else 1.0,
            self.kept / self.passed if self.passed else 1.0,
            len(self.strayed) / self.probes if self.probes else 0.0,
        )

    @property
    def holds(self) -> bool:
        return not self._faults()

    @property
    def why(self) -> str:
        return "; ".join(self._faults())

    def _faults(self) -> list[str]:
        same, kept, strayed = self._shares
        faults = []
        if same < self.tolerance.same:
            faults.append(f"{self.same} of {self.probes} answers are the same (at least {self.tolerance.same:.0%})")
        if kept < self.tolerance.kept:
            faults.append(
                f"{self.kept} of {self.passed} learned answers are kept (at least {self.tolerance.kept:.0%}), "
                f"the first lost {self.lost[0]!r}"
            )
        if strayed > self.tolerance.strayed:
            faults.append(
                f"{len(self.strayed)} answers name what the adapter's do not (at most {self.tolerance.strayed:.0%}), "
                f"the first {self.strayed[0]!r}"
            )
        return faults

    def to_dict(self) -> dict[str, Any]:
        return {
            "holds": self.holds,
            "probes": self.probes,
            "same": self.same,
            "passed": self.passed,
            "kept": self.kept,
            "strayed": len(self.strayed),
            "largest_logit_difference": self.largest_logit_difference,
            "tolerance": {
                "same": self.tolerance.same, "kept": self.tolerance.kept, "strayed": self.tolerance.strayed,
            },
        }  # fmt: skip


def judge_quantised(
    probes: ProbeSet, adapter: Sequence[Answer], artifact: Sequence[Answer], tolerance: Tolerance
) -> QuantisedParity:
    """Both in the probes' order."""
    pairs = list(zip(probes.probes, adapter, artifact, strict=True))
    passing = [(probe, other) for probe, one, other in pairs if _passes(probe, one)]
    lost = tuple(probe.prompt for probe, other in passing if not _passes(probe, other))
    return QuantisedParity(
        probes=len(pairs),
        same=sum(one.tokens == other.tokens for _, one, other in pairs),
        passed=len(passing),
        kept=len(passing) - len(lost),
        strayed=tuple(
            probe.prompt
            for probe, one, other in pairs
            if _strays(probe, other, probes) and not _strays(probe, one, probes)
        ),
        lost=lost,
        largest_logit_difference=max(
            (float((one.first_logits - other.first_logits).abs().max()) for _, one, other in pairs), default=0.0
        ),
        tolerance=tolerance,
    )  # fmt: skip


def _passes(probe: Probe, answer: Answer) -> bool:
    return probe.expect is not None and probe.expect.met(answer.text, prompt=probe.prompt)


def _strays(probe: Probe, answer: Answer, probes: ProbeSet) -> bool:
    """Names a new marker out of scope, or an old one in scope, that the question itself does not name."""
    markers = probes.new_markers if probe.group == OUT_OF_SCOPE else probes.old_markers
    return contains_any(answer.text, tuple(marker for marker in markers if not contains_any(probe.prompt, (marker,))))


class Judged(Protocol):
    """What was found of the answers alone."""

    @property
    def holds(self) -> bool: ...

    @property
    def why(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class ArtifactParity:
    """`misread`: prompts that the artifact's own template and tokenizer turn into other tokens than training's."""

    by: str
    answers: Judged
    misread: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return not self.misread and self.answers.holds

    @property
    def why(self) -> str:
        if self.misread:
            return (
                f"its template or tokenizer reads {len(self.misread)} prompts otherwise, the first {self.misread[0]!r}"
            )
        return self.answers.why

    def to_dict(self) -> dict[str, Any]:
        return {
            "checked": True,
            "by": self.by,
            "misread": len(self.misread),
            **self.answers.to_dict(),
            "holds": self.holds,
        }


@dataclass(frozen=True, kw_only=True)
class Unchecked:
    """The user's own choice: written, and asked nothing."""

    holds: bool = True
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"checked": False, "holds": None}
