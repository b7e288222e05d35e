"""A run's run.json as a value: typed, frozen, and the same JSON again, the fields of other versions included."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from toolkit.core import environment
from toolkit.core.files import now
from toolkit.runs.layout import RUN_SCHEMA_VERSION

Number = int | float  # as the file has it: 10 stays 10
Status = Literal["running", "finished", "failed", "interrupted"]
RUNNING, FINISHED, FAILED, INTERRUPTED = Status.__args__  # type: ignore[attr-defined]  # a Literal's values


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("the time zone is missing")
    return text


class Part(BaseModel, frozen=True, extra="allow", strict=True):
    """An object of run.json. It keeps fields that it does not define, and leaves out those that its file lacks."""

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Raises ValueError, which names the first field that is wrong."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the record"
            raise ValueError(f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, by_alias=True)

    def with_fields(self, **values: Any) -> Self:
        """With these fields in place of its own. Raises ValueError."""
        return self.from_dict(self.to_dict() | values)


class RecordedBase(Part, frozen=True):
    """The base model as it was trained on; `path` may be another machine's or a container's."""

    name: str
    path: str
    repository: str | None = None
    revision: str | None = None
    lock_sha256: str | None = None
    load_in_4bit: bool = False
    family: str | None = None  # model_type of its config.json


class RecordedMix(Part, frozen=True):
    source: str
    rows: int
    sha256: str | None  # of a hub's rows; a run of an older version does not record it
    sampled_from: int | None = None


class RecordedTestRows(Part, frozen=True):
    """The rows that are never trained, but for those of the file that are; the run's folder has them."""

    path: str
    rows: int
    sha256: str
    sampled_from: int | None = None


class RecordedData(Part, frozen=True):
    """`rows`: of the data set itself, before `mix` and with those that were `dropped`; lengths in tokens.

    `path`: of a hub's data set, its name; `sampled_from`: so many rows, if `rows` are a sample of them.
    `system`: the system prompt that most rows have themselves; None if most have none.
    `left_out`: rows with errors, which are not among `rows`; `columns` and `allow`: see `toolkit.data.soundness`.
    `pass_row_tokens`: the most tokens that the rows of a pass have together, by the number of rows.
    `files`: the sha256 of each file of rows in the run's folder; a run of an older version does not record them.
    """

    path: str
    sha256: str
    rows: int
    sampled_from: int | None = None
    mix: Sequence[RecordedMix] = ()
    test: RecordedTestRows | None = None
    system: str | None = None
    left_out: int = 0
    columns: Mapping[str, str] = {}
    allow: Sequence[str] = ()
    dropped: int = 0
    held_out: int = 0
    longest_row_tokens: int | None = None
    batch_tokens: int | None = None
    pass_row_tokens: Mapping[str, int] = {}
    epoch_tokens: int | None = None
    files: Mapping[str, str] = {}


class RecordedRecipe(Part, frozen=True):
    """The settings that are read outside training; `settings` are all of them.

    `system`: the system prompt of rows without one. A run that does not record it was trained, and is asked, without
    a system message (""): the chat template then adds its default.
    """

    name: str
    system: str = ""
    row_systems: Sequence[str] = ()
    lora_rank: int | None = None
    lora_alpha: int | None = None
    epochs: Number | None = None
    learning_rate: Number | None = None
    batch_size: int | None = None
    precision: str | None = None
    load_in_4bit: bool = False
    keep_weight: Number = 0
    keep_rows: int | None = None
    question_rows: int = 0
    near_rows: int = 0
    thinking: Literal["keep", "off"] = "keep"  # of a base model that thinks

    @property
    def settings(self) -> dict[str, Any]:
        """As a recipe's YAML file has them."""
        return {key: value for key, value in self.to_dict().items() if key != "name"}


class RecordedDevice(Part, frozen=True):
    """`threads`, `instructions`: of torch on a CPU; `deterministic`: only such kernels were used.

    `cards`: how many like it trained together; on a CPU, processes.
    """

    device: str | None = None
    name: str | None = None
    memory_bytes: int | None = None
    driver: str | None = None
    threads: int | None = None
    instructions: str | None = None
    deterministic: bool | None = None
    cards: int = 1


class RecordedKeepSet(Part, frozen=True):
    """`path`: where it was at the time; the run's folder has a copy, but for a run of an older version."""

    path: str
    sha256: str
    prompts: int


class RecordedQuestions(Part, frozen=True):
    """The questions around the rows (`source`: "model" wrote them, or they came from the user's "file", at `path`).

    `sha256`: of questions.jsonl in the run's folder; `from_rows`: how many rows they were written from; `in_scope` are
    trained and `near` are kept; `kinds`: how many questions of each kind there are.
    """

    source: Literal["model", "file"]
    path: str | None = None
    sha256: str
    from_rows: int = 0
    in_scope: int = Field(alias="in")
    near: int
    kinds: Mapping[str, int] = {}
    seconds: Number = 0


class RecordedTracking(Part, frozen=True):
    """`id`: the tracker's own for this run; `where`: the folder, file or address of its curves."""

    library: str
    id: str
    where: str


class RecordedTraining(Part, frozen=True):
    """`loss`: one value per optimizer step; `tokens`: of the rows that were trained on, in all epochs."""

    steps: int = 0
    loss: Sequence[Number] = ()
    eval_loss: Sequence[Number] = ()
    stopped_early: bool = False
    stop_reason: str | None = None
    development: Sequence[Mapping[str, Any]] = ()
    cuda_graph: bool = False
    tokens: int = 0

    @property
    def last_loss(self) -> float | None:
        return self.loss[-1] if self.loss else None


class RecordedAdapter(Part, frozen=True):
    """`path`: the checkpoint's folder within the run's; a run of an older version lacks `config_sha256`."""

    path: str
    sha256: str
    bytes: int
    config_sha256: str | None = None


class RunRecord(Part, frozen=True):
    """What a run was asked, what computed it, and what came out. Times are ISO 8601 with a time zone.

    `image`: the digest of the image that it started in; None outside of one, and absent in a run of an older version.
    """

    schema_version: Literal[1]
    run_id: str
    status: Status
    started_at: Annotated[str, AfterValidator(_moment)]
    finished_at: str | None = None
    command: str = ""
    seed: int | None = None
    base_model: RecordedBase
    data: RecordedData
    recipe: RecordedRecipe
    versions: Mapping[str, str | None] = {}
    hardware: RecordedDevice = RecordedDevice()
    timings_s: Mapping[str, Number] = {}
    peak_memory_bytes: int | None = None
    keep: RecordedKeepSet | None = None
    questions: RecordedQuestions | None = None
    thoughts: Mapping[str, Number] | None = None  # `rows` without one, those that the base has `written`, `seconds`
    tracking: RecordedTracking | None = None
    train: RecordedTraining = RecordedTraining()
    adapter: RecordedAdapter | None = None
    error: str | None = None
    resumed_from: str | None = None
    replay_of: str | None = None
    image: str | None = None

    @classmethod
    def first_record(
        cls, *, run_id: str, command: str, seed: int, base_model: Mapping[str, Any], data: Mapping[str, Any],
        recipe: Mapping[str, Any],
    ) -> Self:  # fmt: skip
        """Of a run that starts now: every field, those of the result still empty."""
        return cls.from_dict({
            "schema_version": RUN_SCHEMA_VERSION, "run_id": run_id, "status": RUNNING,
            "started_at": now(), "finished_at": None, "command": command, "seed": seed,
            "base_model": base_model, "data": {**data, "dropped": 0}, "recipe": recipe,
            "versions": {}, "hardware": {}, "timings_s": {}, "peak_memory_bytes": None, "keep": None,
            "train": {"steps": 0, "loss": [], "eval_loss": [], "tokens": 0},
            "adapter": None, "error": None, "image": environment.image(),
        })  # fmt: skip

    @property
    def system(self) -> str:
        """What the run was trained under: the rows' own system prompt, or the recipe's (see `RecordedRecipe`)."""
        return self.recipe.system if self.data.system is None else self.data.system

    @property
    def tracker(self) -> str | None:
        return None if self.tracking is None else self.tracking.library

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.started_at)

    def resumed(self, checkpoint: str) -> Self:
        """Of the run that continues from that checkpoint."""
        return self.with_fields(status=RUNNING, finished_at=None, error=None, resumed_from=checkpoint)

    def repeated(self, *, run_id: str, command: str, base_model: Mapping[str, Any]) -> Self:
        """Of the run that repeats this one: what it was asked, and nothing of what came out."""
        fresh = self.first_record(
            run_id=run_id, command=command, seed=self.recipe.settings["seed"], base_model=base_model,
            data=self.data.to_dict(), recipe=self.recipe.to_dict(),
        ).to_dict()  # fmt: skip
        kept = {name: value for name, value in self.to_dict().items() if name in {"keep", "questions", "thoughts"}}
        return self.from_dict(fresh | {"data": self.data.to_dict()} | kept | {"replay_of": self.run_id})

    def with_plan(
        self, *, recipe: Mapping[str, Any], hardware: Mapping[str, Any], versions: Mapping[str, str | None]
    ) -> Self:
        """`recipe`: the settings that were `auto` and are decided now."""
        return self.with_fields(recipe=self.recipe.to_dict() | dict(recipe), hardware=hardware, versions=versions)

    def with_timings(self, **seconds: float) -> Self:
        return self.with_fields(timings_s={**self.timings_s, **seconds})

    def with_result(
        self, *, train: Mapping[str, Any], seconds: Mapping[str, float], peak_memory_bytes: int,
        adapter: Mapping[str, Any] | None,
    ) -> Self:  # fmt: skip
        """`adapter` None: no checkpoint was saved by this training; what was recorded before stays."""
        result = self.with_timings(**seconds).with_fields(train=train, peak_memory_bytes=peak_memory_bytes)
        return result if adapter is None else result.with_fields(adapter=adapter)

    def ended(self, status: Status, error: str | None = None) -> Self:
        """`error` None: none is recorded, and none that was is removed."""
        given = {} if error is None else {"error": error}
        return self.with_fields(status=status, finished_at=now(), **given)
