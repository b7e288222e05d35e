"""The parity gate: does a merged model, loaded afresh, answer as base and adapter did? Pure.

Merging rounds: W + BA is stored in W's type. Rounding may turn a token over only where the two best were nearly
equal: each logit moves by at most the largest difference seen, so their gap must have been under twice that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.language_model import Answer

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
