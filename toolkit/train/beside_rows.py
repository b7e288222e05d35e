"""What a run trains and keeps beside its rows, and records: the keep set, questions around the rows, and thoughts."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256
from toolkit.core.languages import language
from toolkit.core.links import copy_regular_file
from toolkit.core.text import counted
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.encoding import Encoder
from toolkit.data.formats import Message
from toolkit.data.texts.names import Pair
from toolkit.model.base_model import BaseModel
from toolkit.model.conversation import NONE
from toolkit.model.device import Device
from toolkit.runs.layout import KEEP_FILE, QUESTIONS_FILE, THOUGHTS_FILE
from toolkit.runs.record import RecordedData
from toolkit.runs.recording import Recorder
from toolkit.train.development_set import held_out_keep, probe_keys
from toolkit.train.job import BYTES_PER_TOKEN, TEMPLATE_TOKENS, KeepJob, QuestionJob, ThoughtJob
from toolkit.train.keep_set import cache_path
from toolkit.train.planning.memory import Need
from toolkit.train.questions.cache import questions_cache
from toolkit.train.questions.candidates import LONGEST_QUESTION
from toolkit.train.questions.further.several import longest_together
from toolkit.train.questions.question import Question, read_file, write_file
from toolkit.train.questions.write import ANSWER_TOKENS, QUESTION_TOKENS
from toolkit.train.recipe import Recipe
from toolkit.train.rows import RunRows, file_digests
from toolkit.train.sources import load_keep_prompts
from toolkit.train.texts.thoughts import WRITTEN_TOKENS, pairs_without_thought

Notify = Callable[[str], None]
MOST_ROWS = 200  # from which questions are written: the base model answers each of them


@dataclass(frozen=True, kw_only=True)
class Beside:
    """All of it, as far as the recipe asks for it."""

    keep: KeepJob | None
    questions: QuestionJob | None
    thoughts: ThoughtJob | None


def need_of(recipe: Recipe, base: BaseModel, device: Device, data: RecordedData, beside: Beside) -> Need:
    """What determines the memory of a training on these rows with what stands beside them."""
    from toolkit.train.passes.end_to_end import pays_from, will_serve  # late, as torch takes a second

    keep, questions, thoughts = beside.keep, beside.questions, beside.thoughts
    by_ends = not recipe.load_in_4bit and will_serve(base.config, device)
    return Need(
        recipe=recipe, config=base.config, longest_row_tokens=data.longest_row_tokens or 0,
        batch_tokens=data.batch_tokens,  # a run of an older version does not record it, nor the next
        pass_row_tokens={int(rows): tokens for rows, tokens in data.pass_row_tokens.items()},
        one_line_from=pays_from(base.config) if by_ends else None,
        stored_bytes=base.weight_bytes, precision=device.precision, cards=device.cards,
        mean_keep_tokens=0 if keep is None else keep.mean_row_tokens,
        question_tokens=0 if questions is None else questions.question_tokens,
        mean_near_tokens=0 if questions is None else questions.near_tokens,
        thought_tokens=0 if thoughts is None else thoughts.row_tokens,
    )  # fmt: skip


def keep_job(recorder: Recorder, base: BaseModel, recipe: Recipe, rows: Iterable[Row]) -> KeepJob | None:
    """The keep term, without prompts that are trained on; None if the recipe has none. Raises ToolkitError."""
    if recipe.keep_weight == 0:
        return None
    record, copy = recorder.record, recorder.folder / KEEP_FILE
    path, prompts = load_keep_prompts(str(copy) if copy.is_file() else recipe.keep_data, rows)
    systems = tuple(dict.fromkeys((recorder.record.system, *recipe.keep_systems)))  # where rows are learned, and others
    pairs = [(prompt, systems[number % len(systems)]) for number, prompt in enumerate(prompts)]
    digest, origin = file_sha256(path), path if record.keep is None else Path(record.keep.path)
    if record.keep is not None and record.keep.sha256 != digest:
        name = record.replay_of or recorder.folder.name
        raise ConfigError(f"The keep set {path} has changed since {name} began.", next="Start a new run.")
    if path != copy:
        copy_regular_file(path.resolve(), copy)
    recorder.record = record.with_fields(
        keep={"path": str(origin), "sha256": digest, "prompts": len(prompts)},
        data=record.data.to_dict() | {"files": {**record.data.files, KEEP_FILE: digest}},
    )
    return KeepJob(
        prompts=pairs, weight=recipe.keep_weight, rows_per_step=recipe.keep_rows,
        max_new_tokens=recipe.keep_max_new_tokens, thought_tokens=recipe.keep_thought_tokens,
        cache=_answers_cache(recorder, base, recipe, pairs),
        held_out=held_out_keep(len(pairs), recipe.seed) if recipe.stop_when_took else frozenset(),
    )  # fmt: skip


def _answers_cache(recorder: Recorder, base: BaseModel, recipe: Recipe, pairs: Sequence[tuple[str, str]]) -> Path:
    return cache_path(
        recorder.cache, model=base.fingerprint, prompts=pairs, max_new_tokens=recipe.keep_max_new_tokens,
        thought_tokens=recipe.keep_thought_tokens,
    )  # fmt: skip


def thought_job(
    recorder: Recorder, base: BaseModel, recipe: Recipe, rows: RunRows, longest_row_tokens: int, notify: Notify
) -> ThoughtJob | None:
    """The thoughts before the answers of rows that have none; None if none are to be written, or no row lacks one."""
    pairs = pairs_without_thought(rows.trained) if recipe.thought_rows and recipe.thinking == "keep" else []
    if not base.thinks or not pairs:
        return None
    chosen = random.Random(recipe.seed).sample(pairs, min(MOST_ROWS, len(pairs)))  # noqa: S311  # a repeatable choice
    system, systems, _ = systems_of(rows.trained, recipe)

    def written(count: int, seconds: float) -> None:
        found = {"rows": len(chosen), "written": count, "seconds": round(seconds, 3)}
        recorder.record = recorder.record.with_fields(thoughts=found)
        recorder.write()
        notify(
            f"thoughts: the base model wrote {count} for {counted(len(chosen), 'row')} without one "
            f"({recorder.folder / THOUGHTS_FILE}); each row is also trained behind an empty one"
        )

    return ThoughtJob(
        file=recorder.folder / THOUGHTS_FILE, pairs=chosen, system=system, systems=systems, names=base.names,
        row_tokens=longest_row_tokens + WRITTEN_TOKENS, written=written,
    )  # fmt: skip


def read_given(path: Path | None, recipe: Recipe, data: Path) -> list[Question] | None:
    """The user's questions; None without a file. Raises DataError, and ConfigError if the recipe takes none."""
    takes_any = recipe.question_rows or recipe.near_rows
    if takes_any:
        probe_keys(data)  # its errors come now, before there is a folder
    if path is None:
        return None
    if not takes_any:
        raise ConfigError(
            f"Recipe {recipe.name} takes no questions: question_rows and near_rows are 0.",
            next="Leave out --questions, or set --question-rows and --near-rows.",
        )
    return read_file(path)


def take_given(
    given: Sequence[Question], path: Path, recorder: Recorder, recipe: Recipe, rows: Sequence[Row], encoder: Encoder,
    notify: Notify,
) -> None:  # fmt: skip
    """Writes the user's questions to the run's folder, but for probes and those that are too long."""
    probes = probe_keys(Path(recorder.record.data.path))
    free = [one for one in given if prompt_key(one.prompt) not in probes]
    lengths = longest_under(free, systems_of(rows, recipe)[1], encoder)
    fitting = [one for one, length in zip(free, lengths, strict=True) if length <= recipe.max_length_tokens]
    if len(free) < len(given):
        notify(f"Warning: left out, since a probe is never trained: {counted(len(given) - len(free), 'question')}.")
    if len(fitting) < len(free):
        long = counted(len(free) - len(fitting), "question")
        notify(f"Warning: left out, over {recipe.max_length_tokens} tokens: {long}.")
    write_file(recorder.folder / QUESTIONS_FILE, fitting)
    _record(recorder, notify, {"source": "file", "path": str(path.resolve())}, fitting, seconds=0)


def longest_under(questions: Sequence[Question], systems: Sequence[str], encoder: Encoder) -> list[int]:
    """Each question's length with its answer, in tokens, under the system prompt that makes it longest."""
    rows = [_as_row(one, number) for number, one in enumerate(questions)]
    under = [[len(one.input_ids) for one in encoder.encode(rows, system)] for system in systems]
    return [max(lengths) for lengths in zip(*under, strict=True)]


def _as_row(one: Question, number: int) -> Row:
    turns = Message(role="user", content=one.prompt), Message(role="assistant", content=one.answer)
    return Row(number=number + 1, messages=turns)


def question_job(
    recorder: Recorder, base: BaseModel, recipe: Recipe, rows: RunRows, keep: KeepJob | None, notify: Notify
) -> QuestionJob | None:
    """The questions around the rows; None if the recipe takes none, or none can be written."""
    if not recipe.question_rows and not recipe.near_rows:
        return None
    file = recorder.folder / QUESTIONS_FILE
    pairs = pairs_of(rows.own, recipe.seed)
    if not file.is_file() and not pairs:
        notify("questions: none, since no row is a single question with its answer in Chinese or English")
        return None
    system, systems, near_systems = systems_of(rows.trained, recipe)
    inside = recipe.question_rows > 0
    excluded = frozenset() if file.is_file() else frozenset(probe_keys(Path(recorder.record.data.path)))
    general = None if keep is None else keep.cache.name  # names the prompts, and what answered them
    question_tokens, near_tokens = longest_tokens(file, pairs)
    template = TEMPLATE_TOKENS + max(tokens(one) for one in (*systems, *near_systems))
    return QuestionJob(
        file=file, rows=pairs, system=system, systems=systems, near_systems=near_systems, excluded=excluded,
        cache=questions_cache(
            recorder.cache, model=base.fingerprint, rows=pairs, system=system, seed=recipe.seed,
            general=general, excluded=excluded, inside=inside,
        ),
        inside=inside,
        near_cache=partial(_answers_cache, recorder, base, recipe),
        question_tokens=template + question_tokens,
        near_tokens=template + near_tokens + (0 if keep is None else keep.max_new_tokens + keep.thought_tokens // 2),
        written=lambda questions, seconds: _record(
            recorder, notify, {"source": "model", "from_rows": len(pairs)}, questions, seconds
        ),
    )  # fmt: skip


def longest_tokens(file: Path, rows: Sequence[Pair]) -> tuple[int, int]:
    """Upper bounds without a tokenizer: of a question in scope and its answer, and of a question near the rows.

    They are those of the file, or of what the base model writes: neighbours are the rows' questions with other names.
    """
    if not file.is_file():
        longest = max(tokens(prompt) for prompt, _ in rows)
        together = sum(map(tokens, longest_together(rows)))  # what two rows or three answer at once
        return max(QUESTION_TOKENS + ANSWER_TOKENS, together), max(QUESTION_TOKENS, min(LONGEST_QUESTION, longest))
    questions = read_file(file)
    return (
        max((tokens(one.prompt) + tokens(one.answer) for one in questions if one.scope == "in"), default=0),
        max((tokens(one.prompt) for one in questions if one.scope == "near"), default=0),
    )


def tokens(text: str) -> int:
    """At most so many: Qwen's tokenizer packs over three bytes into a token."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1


def pairs_of(rows: Sequence[Row], seed: int) -> list[Pair]:
    """The rows of one turn in Chinese or English, each once; of more than MOST_ROWS a choice that the seed repeats.

    What the model writes around others would be in one of these two languages, and not in theirs.
    """
    known = (row for row in rows if row.of_one_turn and language(row.prompt, row.answer) != "other")
    pairs = list(dict.fromkeys((row.prompt, row.answer) for row in known))
    if len(pairs) <= MOST_ROWS:
        return pairs
    chosen = random.Random(seed).sample(range(len(pairs)), MOST_ROWS)  # noqa: S311  # a repeatable choice
    return [pairs[at] for at in sorted(chosen)]


def systems_of(rows: Sequence[Row], recipe: Recipe) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The system prompts that questions are written, trained and kept under: the rows' own, or the recipe's."""
    counted = Counter(row.system for row in rows if row.of_one_turn)
    own = counted.most_common(1)[0][0] if counted else None
    if own is not None:
        system = own or NONE
        return system, (system,), (system,)
    trained, kept = (recipe.system, *recipe.row_systems), (recipe.system, *recipe.keep_systems)
    return recipe.system, tuple(dict.fromkeys(trained)), tuple(dict.fromkeys(kept))


def _record(
    recorder: Recorder, notify: Notify, origin: dict[str, Any], questions: Sequence[Question], seconds: float
) -> None:
    """At once, since a run that is interrupted in training must resume with these questions."""
    counted = Counter(one.scope for one in questions)
    digests = file_digests(recorder.folder)
    record = recorder.record
    found = {
        "path": None, **origin, "sha256": digests[QUESTIONS_FILE], "in": counted["in"], "near": counted["near"],
        "kinds": dict(Counter(one.kind for one in questions)), "seconds": round(seconds, 3),
    }  # fmt: skip
    data = record.data.to_dict() | {"files": {**record.data.files, QUESTIONS_FILE: digests[QUESTIONS_FILE]}}
    recorder.record = record.with_fields(questions=found, data=data)
    recorder.write()
    by = "written by the base model" if origin["source"] == "model" else f"from {origin['path']}"
    numbers = f"{counted['in']} to learn and {counted['near']} to keep, {by} ({recorder.folder / QUESTIONS_FILE})"
    notify(f"questions: {numbers if questions else 'none around these rows'}")
