"""What report.json says beside the probes: abilities lost and won, and scores on rows that were not trained."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from toolkit.runs.record import Part

AbilityOutcome = Literal["kept", "lost", "open"]
NotRun = Literal["off"]
ScoreName = Literal["exact", "rouge_l", "loss"]
SCORES: tuple[str, ...] = ScoreName.__args__  # type: ignore[attr-defined]  # a Literal's values
Count = Annotated[int, Field(ge=0)]


class RecordedAbilityGroup(Part, frozen=True):
    """before, after: how many of n each side solves; lost, won: solved by one side only; p: McNemar's exact test"""

    name: str
    n: Count
    before: Count
    after: Count
    lost: Count
    won: Count
    p: Annotated[float, Field(ge=0, le=1)]
    loss_points: float = Field(description="percentage points that were lost; negative if more was won")
    loss_low: float
    loss_high: float = Field(description="of the 95 % interval of loss_points")


class RecordedAbilityChange(Part, frozen=True):
    """an item that only one side solves, or of which only one side's answer is coherent"""

    id: str
    group: str
    prompt: str
    before: str
    after: str
    passed_before: bool
    passed: bool
    coherent_before: bool
    coherent: bool


class RecordedAbility(Part, frozen=True):
    """the ability ledger: the same items, answered by both sides and judged by rules"""

    not_run: NotRun | None = Field(description="off: the shipped items were not asked for; null if they were")
    system: str = Field(description="the system prompt of every question")
    limit_points: float = Field(description="what the loss in total may be")
    outcome: AbilityOutcome | None = Field(
        description="kept: the complete interval of the total loss is within the limit; lost: it is beyond it; open: "
        "neither; null if not run"
    )
    total: RecordedAbilityGroup | None = Field(description="over the shipped groups")
    groups: Sequence[RecordedAbilityGroup] = Field(description="then the public benchmarks that were named")
    coherent: RecordedAbilityGroup | None = Field(
        description="written answers that are not empty, repetitive or in another language than the question's"
    )
    left_out: Mapping[str, str] = Field(description="groups that were not asked, and why")
    changes: Sequence[RecordedAbilityChange]
    seconds: float


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
