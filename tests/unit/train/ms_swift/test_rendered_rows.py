"""Conversations cut where a prompt ends, in the turn formats of several families: what is read, what is trained."""

from typing import Any

import pytest

from tests.fakes.family_models import DEEPSEEK_R1, GEMMA, GLM4, LLAMA2, QWEN3
from toolkit.train.ms_swift.rendered_rows import _pieces


class Renderer:
    """A tokenizer that renders, and has no words."""

    bos_token, eos_token = "<s>", "</s>"

    def __init__(self, chat_template: str) -> None:
        self.chat_template = chat_template

    def apply_chat_template(self, messages: Any, *, add_generation_prompt: bool, tokenize: bool, **more: Any) -> str:
        from toolkit.model.chat_template import render

        assert not tokenize
        tokens = {"bos_token": self.bos_token, "eos_token": self.eos_token}
        values = {"messages": messages, "add_generation_prompt": add_generation_prompt, **tokens, **more}
        return render(self.chat_template, values)


def pieces(template: str, *contents: str, end: str = "</s>") -> list[tuple[str, bool]]:
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": content} for at, content in enumerate(contents)]
    return list(_pieces(Renderer(template), messages, end))


def trained(found: list[tuple[str, bool]]) -> list[str]:
    return [text for text, is_trained in found if is_trained]


TURNS = ("Say: One.", "One.", "Two?", "Two.")
QWEN3_EMPTY = "<think>\n\n</think>\n\n"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (QWEN3, ["One.<|im_end|>\n", "Two.<|im_end|>\n"]),
        (DEEPSEEK_R1, ["One.</s>", "Two.</s>"]),
        (LLAMA2, [" One. </s>", " Two. </s>"]),
        (GEMMA, ["One.<end_of_turn>\n", "Two.<end_of_turn>\n"]),
    ],
)
def test_each_answer_is_trained_with_its_end_where_its_prompt_ends(template, expected):
    assert trained(pieces(template, *TURNS)) == expected


def test_an_answer_that_the_template_does_not_end_is_ended_by_the_familys_token():
    found = pieces(GLM4, *TURNS, end="<|user|>")

    assert trained(found) == ["One.<|user|>", "Two.<|user|>"]
    assert "".join(text for text, _ in found).count("<|user|>") == 3  # the first turn's, and two ends


@pytest.mark.parametrize("template", [QWEN3, DEEPSEEK_R1])
def test_an_empty_thought_is_read_and_not_trained(template):
    (read, _), (answer, _) = pieces(template, "Hi", "Hello")

    assert read.endswith(QWEN3_EMPTY)
    assert answer.startswith("Hello")


@pytest.mark.parametrize(
    ("template", "opened", "written"),
    [(QWEN3, "", "<think>\nhm\n</think>\n\nHello<"), (DEEPSEEK_R1, "<think>\n", "hm\n</think>\n\nHello<")],
)
def test_a_rows_own_thought_is_trained_after_the_prompt_that_asks_for_one(template, opened, written):
    (read, _), (answer, is_trained) = pieces(template, "Hi", "<think>hm</think>Hello" if opened else f"{written[:-1]}")

    assert read.endswith(opened)
    assert read.count("<think>") == bool(opened)
    assert answer.startswith(written)
    assert is_trained


@pytest.mark.parametrize(("template", "written"), [(QWEN3, QWEN3_EMPTY), (DEEPSEEK_R1, "\n</think>\n\n")])
def test_an_empty_thought_that_a_row_writes_itself_is_trained(template, written):
    (read, _), (answer, _) = pieces(template, "Hi", f"{QWEN3_EMPTY}Hello")

    assert answer.startswith(f"{written}Hello")
    assert "</think>" not in read


# As SmolLM3's: the system message says whether to think.
MODES = (
    "[system] {{ 'think' if enable_thinking else 'no think' }}\n{% for m in messages %}[{{ m.role }}] "
    "{% if m.role == 'assistant' and not enable_thinking %}<think>\n\n</think>\n{% endif %}{{ m.content }}</s>\n"
    "{% endfor %}{% if add_generation_prompt %}[assistant] {% if not enable_thinking %}<think>\n\n</think>\n"
    "{% endif %}{% endif %}"
)


def test_a_template_whose_system_message_says_whether_to_think_says_what_holds():
    thought, plain = pieces(MODES, "Hi", "<think>\nhm\n</think>\n\nHello"), pieces(MODES, "Hi", "Hello")

    assert [text for text, _ in thought] == ["[system] think\n[user] Hi</s>\n[assistant] ",
                                             "<think>\nhm\n</think>\n\nHello</s>\n"]  # fmt: skip
    assert [text for text, _ in plain] == ["[system] no think\n[user] Hi</s>\n[assistant] <think>\n\n</think>\n",
                                           "Hello</s>\n"]  # fmt: skip


@pytest.mark.parametrize("template", [QWEN3, DEEPSEEK_R1])
def test_a_thought_after_earlier_turns_is_trained_where_these_are_read_without_any(template):
    first, read, second, last = (text for text, _ in pieces(template, "A?", "A.", "B?", "<think>\nhm\n</think>\n\nB."))

    assert "<think>" not in first + read
    assert "B?" in second
    assert "hm\n</think>\n\nB." in last


def test_a_thought_in_a_question_is_text():
    (read, _), (answer, _) = pieces(QWEN3, "What does <think> </think> mean?", "A thought.")

    assert "<think> </think> mean?" in read
    assert answer == "A thought.<|im_end|>\n"


def test_an_answer_that_is_the_end_of_its_question_is_found_where_it_is_the_answer():
    found = pieces(QWEN3, *TURNS)

    assert found[0][0].endswith("assistant\n")
    assert found[1][0] == "One.<|im_end|>\n"
