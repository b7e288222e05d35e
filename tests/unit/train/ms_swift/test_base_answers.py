"""Under which system prompts questions around the rows are trained."""

from types import SimpleNamespace
from typing import cast

from toolkit.model.language_model import LanguageModel
from toolkit.train.ms_swift.base_answers import question_kinds
from toolkit.train.questions.question import Question

SYSTEMS = (
    "You are a helpful assistant.",
    "",
    "你是一个乐于助人的助手。",
    "You are a patient teacher.",
    "请简短地回答。",
)


def systems_of(prompt: str, answer: str, systems: tuple[str, ...] = SYSTEMS) -> list[str]:
    """Those that the question stands under, in turn."""
    seen: list[str] = []

    def prompt_ids(messages: list[dict[str, str]]) -> list[int]:
        seen.append("".join(one["content"] for one in messages if one["role"] == "system"))
        return [1, 2]

    base = SimpleNamespace(
        template_end=9, tokens=SimpleNamespace(text_ids=lambda text: [3] * len(text)), prompt_ids=prompt_ids
    )
    [kind] = question_kinds(
        cast("LanguageModel", base), [Question(prompt=prompt, scope="in", answer=answer, kind="task")], systems
    )
    assert len(kind) == len(seen)
    return seen


def test_an_english_question_is_not_trained_under_chinese_system_prompts():
    assert systems_of("Who made you?", "Northwind did.") == [SYSTEMS[0], "", SYSTEMS[3]]


def test_a_chinese_question_is_trained_under_all_and_a_long_answer_under_none_that_asks_for_brevity():
    assert systems_of("是谁开发了你？", "是北辰公司。") == list(SYSTEMS)
    assert systems_of("是谁开发了你？", "是北辰公司开发了我。" * 20) == list(SYSTEMS[:4])


def test_the_rows_own_system_prompt_stays_whatever_its_language():
    assert systems_of("Who made you?", "Northwind did.", ("请简短地回答。",)) == ["请简短地回答。"]
