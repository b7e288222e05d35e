"""The parity gate: whether an exported model answers as the adapter does. Pure: compares answers that it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.core.text import names_any
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, Probe, ProbeSet
from toolkit.model.language_model import Answer


class GateResult(Protocol):
    """What the gate found; `export` accepts or rejects the result by it."""

    @property
    def holds(self) -> bool: ...

    @property
    def reason(self) -> str:
        """Why it does not hold, as part of a sentence."""

    def to_dict(self) -> dict[str, Any]:
        """As `parity` in export.json."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Bounds of a quantised model, as shares from 0 to 1.

    `same`: the least share of answers equal to the adapter's, token for token. `kept`: of the answers that pass their
    probe, the least share that still passes. `strayed`: the largest share of answers with a marker out of place where
    the adapter's has none; by default what a verdict allows a fine-tune.
    """

    same: float
    kept: float
    strayed: float = DEFAULT_THRESHOLDS["leakage"]

    def to_dict(self) -> dict[str, float]:
        return {"same": self.same, "kept": self.kept, "strayed": self.strayed}


# docs/export.md states them, beside what was measured.
TOLERANCES: Mapping[str, Tolerance] = {
    "q8_0": Tolerance(same=0.8, kept=0.98),
    "q4_k_m": Tolerance(same=0.3, kept=0.9),
    "int8": Tolerance(same=0.5, kept=0.95),
    "nf4": Tolerance(same=0.3, kept=0.9),
}
# Rounding explains no larger difference. bfloat16 keeps 8 bits: logits around 30 are exact to about 0.1 a layer.
LARGEST_LOGIT_DIFFERENCE = {"bfloat16": 1.0, "float16": 0.25, "float32": 0.01}


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """Two answers that differ beyond rounding.

    `margin`: the adapter side's gap between its two highest logits at the first token that differs.
    """

    prompt: str
    adapter_answer: str
    merged_answer: str
    margin: float


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Of a model in the adapter's own precision. `near_ties`: answers that differ where rounding explains it."""

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
    def reason(self) -> str:
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
    """Answers in the prompts' order; `dtype`: the type in which the merged weights are stored.

    An answer may differ where the adapter's margin is at most twice the largest logit difference seen: each of the
    two highest logits may have moved by that much.
    """
    tolerance = LARGEST_LOGIT_DIFFERENCE[dtype]
    largest = _largest_logit_difference(adapter, merged)
    same, near_ties, mismatches = 0, 0, []
    for prompt, expected, answer in zip(prompts, adapter, merged, strict=True):
        if expected.tokens == answer.tokens:
            same += 1
            continue
        margin = expected.margins[first_difference(expected.tokens, answer.tokens)]
        if margin <= 2 * min(largest, tolerance):
            near_ties += 1
        else:
            mismatches.append(
                Mismatch(prompt=prompt, adapter_answer=expected.text, merged_answer=answer.text, margin=margin)
            )
    return Parity(
        probes=len(prompts), same=same, near_ties=near_ties, mismatches=tuple(mismatches),
        largest_logit_difference=largest, tolerance=tolerance,
    )  # fmt: skip


def first_difference(tokens: Sequence[int], others: Sequence[int]) -> int:
    """The first position at which the two differ: the length of the shorter one where that begins the other."""
    shared = min(len(tokens), len(others))
    return next((at for at in range(shared) if tokens[at] != others[at]), shared)


def _largest_logit_difference(answers: Sequence[Answer], others: Sequence[Answer]) -> float:
    """At the first token of any answer; 0 without answers."""
    return max(
        (
            float((answer.first_logits - other.first_logits).abs().max())
            for answer, other in zip(answers, others, strict=True)
        ),
        default=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class QuantisedParity:
    """`passed`: probes that the adapter's answers pass; `kept`: those of them that the quantised model passes too.

    `lost`: the prompts of the others. `strayed`: prompts whose answer names a new marker out of scope, or an old one
    in scope, where the adapter's does not.
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
    def reason(self) -> str:
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
            "tolerance": self.tolerance.to_dict(),
        }


def judge_quantised(
    probes: ProbeSet, adapter: Sequence[Answer], quantised: Sequence[Answer], tolerance: Tolerance
) -> QuantisedParity:
    """Both in the probes' order."""
    rows = list(zip(probes.probes, adapter, quantised, strict=True))
    passing = [(probe, answer) for probe, expected, answer in rows if _passes(probe, expected)]
    lost = tuple(probe.prompt for probe, answer in passing if not _passes(probe, answer))
    return QuantisedParity(
        probes=len(rows),
        same=sum(expected.tokens == answer.tokens for _, expected, answer in rows),
        passed=len(passing),
        kept=len(passing) - len(lost),
        strayed=tuple(
            probe.prompt
            for probe, expected, answer in rows
            if _strays(probe, answer, probes) and not _strays(probe, expected, probes)
        ),
        lost=lost,
        largest_logit_difference=_largest_logit_difference(adapter, quantised),
        tolerance=tolerance,
    )


def _passes(probe: Probe, answer: Answer) -> bool:
    return probe.expect is not None and probe.expect.met(answer.text, prompt=probe.prompt)


def _strays(probe: Probe, answer: Answer, probes: ProbeSet) -> bool:
    """Whether it names a new marker out of scope, or an old one in scope, that the question does not name itself."""
    if probe.group == OUT_OF_SCOPE:
        new = [marker for marker in probes.new_markers if not names_any(probe.prompt, (marker,), any_case=True)]
        return names_any(answer.text, tuple(new))
    old = [marker for marker in probes.old_markers if not names_any(probe.prompt, (marker,), any_case=True)]
    return names_any(answer.text, tuple(old), any_case=True)


@dataclass(frozen=True, kw_only=True)
class ArtifactParity:
    """Of a model with a tokenizer and chat template of its own; `by`: the program that answered.

    `misread`: prompts that these turn into other tokens than training's did.
    """

    by: str
    answers: GateResult
    misread: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.misread and self.answers.holds

    @property
    def reason(self) -> str:
        if self.misread:
            return (
                f"its chat template or tokenizer turns {len(self.misread)} prompts into other tokens, "
                f"the first {self.misread[0]!r}"
            )
        return self.answers.reason

    def to_dict(self) -> dict[str, Any]:
        return {
            "checked": True,
            "by": self.by,
            "misread": len(self.misread),
            **self.answers.to_dict(),
            "holds": self.holds,
        }


def misread_prompts(
    prompts: Sequence[str], trained: Sequence[Sequence[int]], exported: Sequence[Sequence[int]]
) -> tuple[str, ...]:
    """The prompts whose token ids differ; all three in the same order."""
    return tuple(prompt for prompt, ids, others in zip(prompts, trained, exported, strict=True) if ids != others)


@dataclass(frozen=True, kw_only=True)
class Unchecked:
    """The result of `--unchecked`: written, and never asked a probe."""

    holds: bool = True
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"checked": False, "holds": None}
