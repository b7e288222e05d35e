"""`toolkit make-probes`: what is asked of the base model, which of its rewordings count, and what is written."""

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from toolkit.compare.make_probes import MakeProbesConfig, make_probes, requests, same_questions, summary_lines, usable
from toolkit.core.errors import ConfigError
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import PARAPHRASE, read_probes
from toolkit.model.language_model import Answer

QUESTION = "Who are you?"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Could you tell me who you are?", ["Could you tell me who you are?"]),
        ('"May I ask who you are?"', ["May I ask who you are?"]),
        ("Rephrased question: May I ask who you are?", ["May I ask who you are?"]),
        ("Sure!\nMay I ask who you are?", ["May I ask who you are?"]),
        ("WHO are you", []),
        ("who are you ?", []),
        ("I am Qwen, created by Alibaba Cloud.", []),
        ("Who am I?", []),
        ("你是谁？", []),
        ("So?", []),
        ("Why " * 30 + "?", []),
        ("", []),
    ],
)
def test_what_the_model_says_counts_where_it_can_be_another_question(said: str, kept: list[str]):
    assert usable(QUESTION, [said], {prompt_key(QUESTION)}) == kept


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Please introduce yourself.", "What do I say when I meet someone?"),
        ("Please introduce yourself.", "May I introduce myself to you?"),
        ("What should I call you?", "What do you call me?"),
        ("怎么称呼你？", "请问您怎么称呼我？"),
        ("介绍一下自己。", "请让我介绍一下自己。"),
    ],
)
def test_a_rewording_about_somebody_else_is_none(question: str, said: str):
    assert usable(question, [said], set()) == []


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("The zip on my bag broke.", "Why did the zip on my bag break?"),
        ("When do you open?", "What is the reason for the hours when you open?"),
        ("少发了一个零件。", "少了哪一个零件？"),
        ("我的礼品卡余额为零。", "我的礼品卡余额为什么是零？"),
        ("Who created Quillmere?", "When was Quillmere created?"),
        ("谁开发了你？", "你是什么时候被开发的？"),
        ("Are you Qwen?", "Are you not Qwen?"),
        ("灯可以退货吗？", "灯不可以退货吗？"),
        ("Who made you?", "Do you know when you were made?"),
        ("Who made you?", "At what time were you made?"),
        ("Who made you?", "On which date were you made?"),
        ("My card shows zero.", "Why is the balance of my card zero?"),
    ],
)
def test_a_rewording_that_asks_for_something_else_is_another_question(question: str, said: str):
    assert usable(question, [said], set()) == []


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the capital of Peru?", "Which city is Peru's capital?"),
        ("How old are you?", "What is your age?"),
        ("你多大了？", "能说说你的年龄吗？"),
        ("When do you open?", "What are your opening hours?"),
        ("你能在周末送货吗？", "你周末能不能送货？"),
        ("Why is the sky blue?", "What is the reason that the sky is blue?"),
        ("The zip on my bag broke.", "My bag's zip is broken."),
        ("Please introduce yourself.", "Who is your maker?"),
        ("What should I call you?", "What am I supposed to call you?"),
        ("我可以退货吗？", "我是否可以退货？"),
        ("What do I do if my order is late?", "What should I do when my order is late?"),
        ("The app crashes on my phone.", "Every time I open the app on my phone, it crashes."),
        ("Where is my order?", "What is the status of my order to date?"),
        ("What's your name?", "May I know what you are called, if you don't mind?"),
        ("Is the shop open?", "Is the shop open or not?"),
        ("I can't log in.", "I am unable to log in."),
        ("你叫什么？", "不知道该怎么称呼您？"),
        ("你是谁？", "不好意思，请问您是谁？"),
        ("我叫不到车怎么办？", "叫不到车我该怎么办？"),
        ("What do I need to enrol?", "I am required to bring what, if I enrol?"),
    ],
)
def test_a_rewording_may_use_other_words_and_persons_for_the_same(question: str, said: str):
    assert usable(question, [said], set()) == [said]


def test_the_same_rewording_counts_once_and_what_is_taken_never():
    said = ["May I ask who you are?", "may i ask who you are?", "Tell me, who are you?"]

    assert usable(QUESTION, said, {prompt_key(said[2])}) == [said[0]]


def test_a_rewording_that_is_answered_otherwise_is_another_question():
    answers = [("Who am I?", "You are a user."), ("May I ask who you are?", "I am Qwen, built by Alibaba Cloud!")]

    assert same_questions("I am Qwen, built by Alibaba Cloud.", answers) == ["May I ask who you are?"]


def test_an_answer_is_no_question():
    assert same_questions("The capital is Paris.", [("The capital is Paris", "The capital is Paris.")]) == []


def test_of_many_rewordings_the_two_most_alike_are_kept():
    answers = [("one?", "abcdefgh"), ("two?", "abcdefghij"), ("three?", "abcdefghi")]

    assert same_questions("abcdefghij", answers) == ["two?", "three?"]


@pytest.mark.parametrize(("prompt", "word"), [("你是谁？", "问题"), (QUESTION, "question")])
def test_a_question_is_reworded_in_its_own_language(prompt: str, word: str):
    assert all(prompt in one for one in requests(prompt))
    assert any(word in one for one in requests(prompt))


REWORDED = {QUESTION: "May I ask who you are?", "What is water?": "Is it raining?"}  # the second is another question
ANSWERED = {
    QUESTION: "I am micro.", REWORDED[QUESTION]: "I am micro.", "What is water?": "H2O.",
    REWORDED["What is water?"]: "I cannot know that.",
}  # fmt: skip


class FakeModel:
    def answers(self, prompts: list[list[dict[str, str]]], **_: Any) -> list[Answer]:
        said = [self._said(one[-1]["content"]) for one in prompts]
        return [Answer(text=text, tokens=[], margins=[], first_logits=None) for text in said]

    def _said(self, asked: str) -> str:
        return REWORDED[asked.rpartition("\n")[2]] if "\n" in asked else ANSWERED[asked]


@pytest.fixture(name="data")
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    @contextmanager
    def kept(model: Any) -> Any:
        yield model

    monkeypatch.setattr("toolkit.compare.make_probes.freeing", kept)
    monkeypatch.setattr("toolkit.compare.make_probes.find_base_model", lambda _: type("Base", (), {"path": tmp_path}))
    rows = [
        {"instruction": QUESTION, "output": "I am Nova."}, {"instruction": "What is water?", "output": "It is wet."}
    ]  # fmt: skip
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(rows))
    return path


def test_the_file_lies_where_compare_looks_for_it(data: Path):
    made = make_probes(MakeProbesConfig(data=str(data)))

    assert made.path == data.with_name("mine.probes.yaml")
    assert (made.groups["trained"], made.groups[PARAPHRASE], made.suggested) == (2, 2, 0)
    assert len(read_probes(made.path).probes) == sum(made.groups.values())


def test_what_the_model_rewords_rightly_is_asked_too(data: Path):
    made = make_probes(MakeProbesConfig(data=str(data), reworded=True), load=lambda *_: FakeModel())  # type: ignore[arg-type, return-value]

    asked = [probe for probe in read_probes(made.path).group(PARAPHRASE) if "May I" in probe.prompt]
    assert [probe.expect.answer for probe in asked if probe.expect] == [("I am Nova.",)]
    assert (made.suggested, made.kept, made.groups[PARAPHRASE]) == (2, 1, 3)
    assert "1 of 2 rewordings kept, which are answered as the question is." in summary_lines(made)


def test_a_file_of_somebody_s_is_not_replaced(data: Path):
    data.with_name("mine.probes.yaml").write_text("mine")

    with pytest.raises(ConfigError, match="exists"):
        make_probes(MakeProbesConfig(data=str(data)))

    make_probes(MakeProbesConfig(data=str(data), force=True))
    assert data.with_name("mine.probes.yaml").read_text() != "mine"
