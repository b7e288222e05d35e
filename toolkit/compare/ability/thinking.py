"""Whether a model that thinks still does, or no longer does where it should not: the share of answers with a thought.

A thought counts if it says something and ends, so that an answer follows it. That nothing changed is shown by
equivalence, as for abilities: the complete 95 % interval of the change is within the limit on both sides.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from toolkit.compare.ability.ledger import Z_95, paired_difference
from toolkit.compare.metrics import ProbeResult, paired_flips, wilson
from toolkit.core.events import Listener, silent
from toolkit.core.text import Thought
from toolkit.model.conversation import THINKING, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.answer_record import RecordedThinking

LIMIT_POINTS = 2.0
MOST_MORE = 10_000  # questions; it is not said that so many would tell
TASK = "Thoughts"
Wanted = Literal["keep", "off"]
Pairs = Sequence[tuple[bool, bool]]  # of each question: whether each side's answer has a thought


@dataclass(kw_only=True)
class ThoughtCount:
    """Asks both sides, in turn, the same questions as anyone asks a model that thinks: of a run that should not.

    Of an answer only the thought is looked at.
    """

    thought_tokens: int
    prompts: Sequence[str] = ()
    sides: list[list[bool]] = field(default_factory=list)
    seconds: float = 0.0

    def ask(self, model: LanguageModel, system: str, listener: Listener = silent) -> None:
        """The side that the model is switched to."""
        started = time.perf_counter()
        answers = model.answers(
            [[*THINKING, *conversation(prompt, system)] for prompt in self.prompts], max_new_tokens=1,
            thought_tokens=self.thought_tokens, listener=listener, task=TASK,
        )  # fmt: skip
        self.sides.append([_thought(one.thought) for one in answers])
        self.seconds += time.perf_counter() - started

    @property
    def pairs(self) -> Pairs:
        before, after = self.sides
        return list(zip(before, after, strict=True))


def pairs_of(results: Sequence[ProbeResult], system: str) -> Pairs:
    """Of the probes under that system prompt, but for those with tools: a call needs no thought."""
    found = [one.thoughts for one in results if one.system == system and not one.probe.tools]
    return [(_thought(before), _thought(after)) for before, after in found]


def _thought(thought: Thought | None) -> bool:
    return thought is not None and thought.complete


def thinking_entry(pairs: Pairs, *, wanted: Wanted, system: str, thought_tokens: int) -> RecordedThinking:
    """keep: how far the share moved, in points. off: the share that is left. Both with their interval and outcome.

    `pairs`: at least one.
    """
    flips = paired_flips([(str(at), *pair) for at, pair in enumerate(pairs)])
    before, after = (sum(side) for side in zip(*pairs, strict=True))
    if wanted == "keep":
        low, high = paired_difference(flips.gained, flips.lost, flips.n)
        value = abs(flips.gained - flips.lost) / flips.n
        spread = (min(abs(low), abs(high)) if low * high > 0 else 0.0, max(abs(low), abs(high)))
    else:
        value, spread = after / len(pairs), wilson(after / len(pairs), len(pairs))
    points: Mapping[str, float] = {"points": 100 * value, "low": 100 * spread[0], "high": 100 * spread[1]}
    limit = LIMIT_POINTS
    outcome = "kept" if points["high"] <= limit else "moved" if points["low"] > limit else "open"
    return RecordedThinking.from_dict({
        "wanted": wanted, "system": system, "n": len(pairs), "before": before, "after": after, "lost": flips.lost,
        "won": flips.gained, **points, "limit_points": limit, "outcome": outcome,
        "more": _more(value, len(pairs)) if outcome == "open" else None, "thought_tokens": thought_tokens,
    })  # fmt: skip


def _more(share: float, n: int) -> int | None:
    """About how many further questions would decide, if the share stays; None if no reasonable number would."""
    limit = LIMIT_POINTS / 100
    if share == limit:
        return None
    needed = Z_95 * math.sqrt(2) / limit if share == 0 else share * (1 - share) * (Z_95 / (share - limit)) ** 2
    more = max(math.ceil(needed) - n, 1)
    return None if more > MOST_MORE else more
