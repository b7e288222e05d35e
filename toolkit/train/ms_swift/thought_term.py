"""Rows with thoughts that are trained beside the batch, for a base model that thinks: how they become sequences."""

import time
from collections.abc import Sequence

from toolkit.core.events import Listener
from toolkit.core.languages import language
from toolkit.core.text import with_thought
from toolkit.data.encoding import IGNORED
from toolkit.model.cards.group import Group
from toolkit.model.conversation import THINKING, Messages, conversation
from toolkit.model.families.family import family_of
from toolkit.model.language_model import LanguageModel
from toolkit.train.job import ThoughtJob, TrainingJob
from toolkit.train.ms_swift.rendered_rows import as_rendered
from toolkit.train.passes.batch import TrainSequence
from toolkit.train.passes.questions import LEAST_EACH, QuestionTerm, question_sequence
from toolkit.train.texts.thoughts import RowThought, read_thoughts, write_thoughts, written_thoughts
from toolkit.train.variants import suited_systems


def thought_term(base: LanguageModel, job: TrainingJob, listener: Listener, group: Group) -> QuestionTerm | None:
    """keep: rows with a thought that the base writes before their answers; off: empty thoughts before any answer.

    None where there is nothing of either. The first process of the group asks the base model.
    """
    recipe, sequences = job.recipe, list[TrainSequence]()
    thoughts = job.thoughts
    if recipe.thinking == "off" and job.keep is not None:
        sequences = [one for pair in job.keep.prompts for one in _empty_thought(base, conversation(*pair))]
    elif thoughts is not None:
        found = group.first(lambda: row_thoughts(base, thoughts, listener))
        sequences = [_sequence(base, one, system) for one in found for system in _systems(one, thoughts.systems)]
    if not sequences:
        return None
    return QuestionTerm(
        kinds=[sequences], count=LEAST_EACH * len(sequences), rows_per_step=recipe.thought_rows, seed=recipe.seed
    )


def row_thoughts(base: LanguageModel, job: ThoughtJob, listener: Listener) -> list[RowThought]:
    """Those of the run's file; if there is none yet, the base model writes them."""
    started = time.perf_counter()
    found = read_thoughts(job.file)
    if found is None:
        found = written_thoughts(base, job.pairs, job.system, job.names, listener)
        write_thoughts(job.file, found)
        job.written(len(found), time.perf_counter() - started)
    return found


def _systems(one: RowThought, systems: Sequence[str]) -> list[str]:
    """Those that suit it; the first suits every row."""
    return suited_systems(systems, language(one.prompt, one.answer), one.answer, always=systems[0])


def _sequence(base: LanguageModel, one: RowThought, system: str) -> TrainSequence:
    """Thought and answer are trained, behind the prompt that asks for a thought."""
    answer = {"role": "assistant", "content": with_thought(one.thought, one.answer)}
    messages = [*conversation(one.prompt, system), answer]
    end = family_of(base.model.config.to_dict()).answer_end
    ids, labels = as_rendered(base.tokenizer, base.tokens, base.tokens.escaped(messages), end)
    first = next(at for at, label in enumerate(labels) if label != IGNORED)
    return question_sequence(ids[:first], ids[first:])


def _empty_thought(base: LanguageModel, question: Messages) -> list[TrainSequence]:
    """The empty thought that the template writes, behind the prompt that asks for one; none if they differ before."""
    messages = base.tokens.escaped(question)
    thinking, plain = base.prompt_text([*THINKING, *messages]), base.prompt_text(messages)
    if not plain.startswith(thinking):
        return []
    tail = base.tokens.after(thinking, plain[len(thinking) :])
    return [question_sequence(base.tokens.ids(thinking), tail)]
