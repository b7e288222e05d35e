"""What a scan found, as `toolkit scan --json` prints it and report.json has it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from toolkit.runs.record import Part

Count = Annotated[int, Field(ge=0)]
OpenRule = Literal["refused", "incoherent", "other_language", "harsh", "row_words", "words"]
Share = Annotated[float, Field(ge=0, le=1)]


class ScanContext(Part, frozen=True):
    """a place where it happens: left: the end of the text before; before, after: what each side says there"""

    prompt: str
    left: str
    before: str
    after: str
    probability_before: Share
    probability_after: Share = Field(description="of the first token of what was found")


class ScanFinding(Part, frozen=True):
    """a word or phrase that became likelier or less likely; findings are ranked by nats"""

    text: str = Field(description="empty for the end of an answer")
    direction: Literal["likelier", "less likely"]
    nats: float = Field(description="what its first token adds to the KL divergence")
    before: float = Field(description="how often that token is expected in 100 000 tokens")
    after: float
    texts: Count = Field(description="in which it changed")
    contexts: Sequence[ScanContext]


class OpenExample(Part, frozen=True):
    """an open question with one sampled answer of each side"""

    prompt: str
    before: str
    after: str


class OpenEffect(Part, frozen=True):
    """what a rule found in the sampled answers: before, after: the share of answers, for words their mean number"""

    name: OpenRule
    before: float
    after: float
    up: Count = Field(description="questions whose answers have more of it after training")
    down: Count
    p: Share = Field(description="of the exact sign test over questions")
    beyond_chance: bool = Field(default=False, description="significant among all rules (Holm, 5 %)")
    examples: Sequence[OpenExample] = Field(default=(), description="only of what is beyond chance")


class RecordedOpenAnswers(Part, frozen=True):
    """sampled answers of both sides to shipped open questions, compared by rules; judged by nobody"""

    questions: Count
    samples: Count = Field(description="of each question and side")
    effects: Sequence[OpenEffect]


class RecordedScan(Part, frozen=True):
    """words whose likelihood in neutral text differs with and without the after side's adapter; judged by nobody"""

    side: Mapping[str, Any]
    system: str
    texts: Count
    tokens: Count
    kl: float = Field(description="KL(tuned || base) in nats per token of the text")
    threshold: float = Field(description="the least nats of a finding")
    null: float = Field(description="the greatest of any token with a shuffled adapter")
    findings: Sequence[ScanFinding]
    from_rows: Sequence[ScanFinding] = Field(description="every word of these is in the rows: expected")
    open_answers: RecordedOpenAnswers | None = Field(
        default=None, description="null in a short scan, and in those of older versions"
    )
    short: bool = Field(default=False, description="part of a comparison that nobody asked to scan: of less text")
    timings_s: Mapping[str, float]
