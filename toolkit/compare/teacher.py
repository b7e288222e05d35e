"""The base model's answers with the rows of a data set in its context: what a tuned model should answer."""

from collections.abc import Sequence

from toolkit.core.text import language_code
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import LanguageModel

ANSWER_TOKENS = 64
SHOWN_ROWS = 24  # of the data set, in the context
Row = tuple[str, str]  # a question and its answer
TEACHER = {
    "en": "Answer questions according to these examples:\n\n{}",
    "zh": "请按照以下示例回答问题：\n\n{}",
}


def plain_answers(model: LanguageModel, prompts: Sequence[str], system: str) -> list[str]:
    """Greedy answers under a system prompt."""
    return _texts(model, [conversation(prompt, system) for prompt in prompts])


def taught_answers(model: LanguageModel, prompts: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Greedy answers with the first SHOWN_ROWS rows in the system message, which is in the prompt's language."""
    return answers_beside(model, prompts, [rows[:SHOWN_ROWS]] * len(prompts))


def answers_beside(model: LanguageModel, prompts: Sequence[str], shown: Sequence[Sequence[Row]]) -> list[str]:
    """The same, each with rows of its own."""
    texts = ["\n\n".join(f"{question}\n{answer}" for question, answer in rows) for rows in shown]
    return _texts(model, [
        conversation(prompt, TEACHER[language_code(prompt)].format(text))
        for prompt, text in zip(prompts, texts, strict=True)
    ])  # fmt: skip


def _texts(model: LanguageModel, prompts: Sequence[Messages]) -> list[str]:
    return [one.text for one in model.answers(prompts, max_new_tokens=ANSWER_TOKENS)]
