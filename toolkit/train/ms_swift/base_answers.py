"""What the base model says before it gets an adapter: answers to keep prompts, and questions around the rows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.core.events import Listener
from toolkit.core.languages import language
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.names import Pair
from toolkit.model.cards.group import Group
from toolkit.model.conversation import THINKING, Messages, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.train.job import KeepJob, QuestionJob, TrainingJob
from toolkit.train.keep_set import KeepAnswer, asks_to_think, read_cache, write_cache
from toolkit.train.ms_swift.thought_term import thought_term
from toolkit.train.passes.batch import TrainSequence
from toolkit.train.passes.keep_loss import KeepTerm, keep_sequences
from toolkit.train.passes.questions import QuestionTerm, question_sequence
from toolkit.train.questions import cache
from toolkit.train.questions.candidates import LONGEST_QUESTION
from toolkit.train.questions.question import Question, read_file, write_file
from toolkit.train.questions.write import TASK, Writer
from toolkit.train.variants import suited_systems

SHORT_ANSWER_TOKENS = 128  # of all the answers that are generated at once, per batch of the model
MAX_BATCHES = 4


class WithinMemory(LanguageModel):
    """Answers at most so many tokens at once (`answer_tokens`; None: without a limit), whatever the batch size."""

    def __init__(self, base: LanguageModel, *, answer_tokens: int | None) -> None:
        super().__init__(base.model, base.tokenizer)
        self.answer_tokens, self.decoder = answer_tokens, base.decoder

    def fitting(self) -> Callable[[int], int] | None:
        room, planned = super().fitting(), self.answer_tokens
        if room is None or planned is None:
            return room
        return lambda tokens: max(1, min(room(tokens), planned // tokens))


@dataclass(frozen=True, kw_only=True)
class LossTerms:
    """What is trained and kept beside the rows; `questions_s`: the seconds that questions took."""

    keep: KeepTerm | None = None
    questions: QuestionTerm | None = None
    thoughts: QuestionTerm | None = None
    questions_s: float = 0


def loss_terms(base: LanguageModel, job: TrainingJob, listener: Listener, group: Group) -> LossTerms:
    """Everything that the base model has to say before it gets an adapter; the first process of the group asks it."""
    recipe, keep, around = job.recipe, job.keep, job.questions
    answers = [] if keep is None else group.first(lambda: keep_answers(base, keep, listener))
    started = time.perf_counter()
    questions: list[Question] = []
    if around is not None:
        writer = WithinMemory(base, answer_tokens=job.plan.answer_tokens)
        questions = group.first(
            lambda: around_questions(writer, around, pairs(base, answers), recipe.seed, listener)
        )  # fmt: skip
    near: list[TrainSequence] = []
    if keep is not None and around is not None:
        found = group.first(lambda: near_answers(base, around, keep, questions, listener))
        near = with_states(base, found, job.plan.answer_tokens)
    term = None
    if recipe.question_rows:
        inside = [one for one in questions if one.scope == "in"]
        systems = () if job.questions is None else job.questions.systems
        term = QuestionTerm(
            kinds=question_kinds(base, inside, systems), count=len(inside), rows_per_step=recipe.question_rows,
            seed=recipe.seed,
        )  # fmt: skip
    thoughts = thought_term(base, job, listener, group) if recipe.thought_rows and base.thinks else None
    questions_s = time.perf_counter() - started
    if keep is None:
        return LossTerms(questions=term, thoughts=thoughts, questions_s=questions_s)
    rows = with_states(base, answers, job.plan.answer_tokens)
    kept = KeepTerm(
        rows=[row for at, row in enumerate(rows) if at not in keep.held_out],
        held_out=[rows[at] for at in sorted(keep.held_out)],
        weight=keep.weight, rows_per_step=keep.rows_per_step, seed=recipe.seed,
        near=near, near_per_step=recipe.near_rows,
    )  # fmt: skip
    return LossTerms(keep=kept, questions=term, thoughts=thoughts, questions_s=questions_s)


def keep_answers(base: LanguageModel, keep: KeepJob, listener: Listener) -> list[KeepAnswer]:
    """The base model's answers to the keep prompts, from the cache if there are any."""
    answers = read_cache(keep.cache)
    if answers is None:
        answers = _answers(base, keep.prompts, keep, listener, "Keep set")
        write_cache(keep.cache, answers)
    return answers


def around_questions(
    base: LanguageModel, job: QuestionJob, general: Sequence[Pair], seed: int, listener: Listener
) -> list[Question]:
    """The questions of the run's file; if there is none yet, it is written from the cache or by the base model."""
    if job.file.exists():
        return read_file(job.file)
    started = time.perf_counter()
    questions = cache.read_cache(job.cache)
    if questions is None:
        written = Writer(
            base, job.rows, system=job.system, seed=seed, general=general, excluded=job.excluded, listener=listener
        ).write(inside=job.inside)
        questions = [
            one for one in written
            if len(one.prompt) <= LONGEST_QUESTION and prompt_key(one.prompt) not in job.excluded
        ]  # fmt: skip
        cache.write_cache(job.cache, questions)
    write_file(job.file, questions)
    job.written(questions, time.perf_counter() - started)
    return questions


def question_kinds(
    base: LanguageModel, questions: Sequence[Question], systems: Sequence[str]
) -> list[list[TrainSequence]]:
    """Each kind's questions in scope, under each of the system prompts that suit them; the first suits all."""
    end = base.template_end
    found: dict[str, list[TrainSequence]] = {one.kind: [] for one in questions}
    for one in questions:
        answer = base.tokens.text_ids(one.answer)
        ended = [*answer, end] if one.complete and end is not None else answer
        of_question = language(one.prompt, one.answer)
        for system in suited_systems(systems, of_question, one.answer, always=systems[0]):
            found[one.kind].append(question_sequence(base.prompt_ids(conversation(one.prompt, system)), ended))
    return list(found.values())


def near_answers(
    base: LanguageModel, job: QuestionJob, keep: KeepJob, questions: Sequence[Question], listener: Listener
) -> list[KeepAnswer]:
    """The base model's answers to the questions near the rows, under each of their system prompts."""
    prompts = [(one.prompt, system) for one in questions if one.scope == "near" for system in job.near_systems]
    if not prompts:
        return []
    path = job.near_cache(prompts)
    answers = read_cache(path)
    if answers is None:
        answers = _answers(base, prompts, keep, listener, TASK)
        write_cache(path, answers)
    return answers


def _answers(
    base: LanguageModel, prompts: Sequence[tuple[str, str]], keep: KeepJob, listener: Listener, task: str
) -> list[KeepAnswer]:
    """Every other answer after a thought, or within one, if the base thinks and the recipe keeps thoughts."""
    # Short answers leave room for several batches at once; an answer's memory grows with its length.
    longest = keep.max_new_tokens + keep.thought_tokens
    batches = max(1, min(MAX_BATCHES, SHORT_ANSWER_TOKENS // longest))
    thinking = [base.thinks and asks_to_think(at, keep.thought_tokens) for at in range(len(prompts))]
    found = base.answers(
        [_messages(prompt, system, thinking=one) for (prompt, system), one in zip(prompts, thinking, strict=True)],
        max_new_tokens=keep.max_new_tokens, thought_tokens=keep.thought_tokens,
        batch_size=batches * base.batch_size, listener=listener, task=task,
    )  # fmt: skip
    return [
        KeepAnswer(prompt=prompt, system=system, tokens=tuple(answer.tokens), thinking=one)
        for (prompt, system), answer, one in zip(prompts, found, thinking, strict=True)
    ]


def _messages(prompt: str, system: str, *, thinking: bool) -> Messages:
    return [*(THINKING if thinking else []), *conversation(prompt, system)]


def with_states(base: LanguageModel, answers: Sequence[KeepAnswer], most_tokens: int | None) -> list[TrainSequence]:
    """Keep rows: the answers with the base model's hidden states at them, of so many tokens at once."""
    starts = [base.prompt_ids(_messages(one.prompt, one.system, thinking=one.thinking)) for one in answers]
    encoded = [(ids + list(one.tokens), len(ids) - 1) for ids, one in zip(starts, answers, strict=True)]
    return keep_sequences(base.model, encoded, base.tokenizer.pad_token_id, most_tokens)


def pairs(base: LanguageModel, answers: Sequence[KeepAnswer]) -> list[Pair]:
    """The keep prompts with the base model's answers as texts, but for those after a thought, which may be cut off."""
    return [(one.prompt, base.text_of(one.tokens).strip()) for one in answers if not one.thinking]
