"""What report.json says of rows that were not trained: how well each side answers them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from toolkit.runs.record import Part

Count = Annotated[int, Field(ge=0)]
ScoreName = Literal["exact", "rouge_l", "loss"]
SCORES: tuple[str, ...] = ScoreName.__args__  # type: ignore[attr-defined]  # a Literal's values


class RecordedScore(Part, frozen=True):
    """a mean: exact: answered word for word; rouge_l: its F-measure; loss: nats a token of the row's answer"""

    name: ScoreName
    before: float
    after: float
    low: float | None = Field(description="of the 95 % interval of after - before; null for a single row")
    high: float | None


class RecordedTestAnswer(Part, frozen=True):
    """one row: its question, its own answer, and each side's"""

    row: Count
    prompt: str
    expected: str
    before: str
    after: str


class RecordedTest(Part, frozen=True):
    """rows that the after side was not trained on, answered by both sides under the rows' system prompts or this one"""

    path: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    system: str = Field(description="of rows without their own")
    total: Count = Field(description="rows in the file")
    trained: Count = Field(description="of these left out, since they were trained")
    answered: Count
    answer_tokens: Count = Field(description="so many of an answer count, at most")
    scores: Sequence[RecordedScore]
    answers: Sequence[RecordedTestAnswer]
    seconds: float

    def score(self, name: str) -> RecordedScore | None:
        return next((one for one in self.scores if one.name == name), None)
