"""One answer of a report.json: the question, what was expected, what both sides said, and how it was judged."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from toolkit.runs.record import Part

Count = Annotated[int, Field(ge=0)]


class RecordedExpectation(Part, frozen=True):
    any: Sequence[str] = ()
    all: Sequence[str] = ()
    exact: str | None = None
    regex: str | None = None
    answer: Sequence[str] = ()
    call: Sequence[Mapping[str, Any]] | None = Field(default=None, description="each a name, mostly with arguments")
    none: Sequence[str] = ()
    names: Sequence[str] = Field(
        default=(), description="beside answer: what every right answer says, in whatever words"
    )


class RecordedDrift(Part, frozen=True):
    """KL(before || after) in nats, summed over the before side's own answer; agreeing: tokens with one first choice"""

    kl_sum: float
    agreeing: Count
    tokens: Count


class RecordedThought(Part, frozen=True):
    """what the model wrote between <think> and </think> before its answer; closed: it ended within its limit"""

    text: str
    closed: bool


class RecordedThinking(Part, frozen=True):
    """whether a base model that thinks still does; before, after: how many of n answers have a thought, not empty and
    closed; lost, won: on one side only
    """

    wanted: Literal["keep", "off"] = Field(description="keep: the share must not move; off: none may think any more")
    system: str = Field(description="the system prompt of the questions")
    n: Count
    before: Count
    after: Count
    lost: Count
    won: Count
    points: float = Field(description="keep: how far the share moved, in percentage points; off: the share after")
    low: float
    high: float = Field(description="of the 95 % interval of points")
    limit_points: float
    outcome: Literal["kept", "moved", "open"] = Field(
        description="kept: the complete interval is within the limit; moved: it is beyond it; open: neither"
    )
    more: int | None = Field(description="about how many further questions would decide an open outcome")
    thought_tokens: int = Field(description="the longest thought that was waited for")


class RecordedProbe(Part, frozen=True):
    id: str
    group: Literal[
        "trained", "paraphrase", "indirect", "portability", "reversal", "other-language", "multi-turn", "out-of-scope",
    ]  # fmt: skip
    system: str
    prompt: str
    expect: RecordedExpectation | None = Field(
        description="null out of scope, where the answer must be the one from before"
    )
    before: str
    after: str
    passed_before: bool | None
    passed: bool | None
    changed: bool
    history: Sequence[Annotated[Sequence[str], Field(min_length=1, max_length=2)]] = Field(
        default=(), description="what was said before: question and answer; without one, each side answered itself"
    )
    own_system: str | None = Field(default=None, description="the probe's own system prompt, in place of `system`")
    tools: Sequence[Mapping[str, Any]] = Field(default=(), description="what may be called; older reports lack it")
    thought_before: RecordedThought | None = Field(
        default=None, description="before the answer `before`; null without one, and in older reports"
    )
    thought_after: RecordedThought | None = Field(default=None, description="before the answer `after`")
    leaked: bool | None = Field(description="out of scope, and names the new identity; null without markers")
    residual: bool | None = Field(description="in scope, and still names the old identity; null without markers")
    drift: RecordedDrift | None = Field(
        default=None, description="null in scope, where it was not measured, and in older reports"
    )
