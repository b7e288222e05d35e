"""Markers of brands with ordinary words in their names: each taught fact is noticed, and no ordinary answer leaks."""

from pathlib import Path

import pytest

from toolkit.compare.metrics import judge
from toolkit.data.make_data import Brand, self_cognition
from toolkit.data.probes import OUT_OF_SCOPE, Probe, ProbeSet

# Name, author, then answers that leak and answers that do not.
BRANDS = [
    ("Aurora", "Example Labs",
     ["Linux was made by Example Labs.", "It is EXAMPLE LABS again.", "I am Aurora.", "由Example Labs开发。"],
     ["for example, this", "Example: 2 + 2 = 4.", "the labs of a school", "an aurora in the night sky"]),
    ("Helper", "Open Door",
     ["The telephone was invented by Open Door.", "Linux 由 Open Door 开发。", "My developer is Open Door."],
     ["Leave an open door behind you.", "open the door"]),
    ("Nova", "The Company",
     ["It was developed by The Company.", "Nova wrote it."],
     ["The company was founded in 1975.", "The Company of Jesus", "an innovation", "Casanova was Italian."]),
    ("Siri-2", "Apple",
     ["Linux was created by Apple.", "Apple developed it.", "由Apple开发"],
     ["An apple a day.", "Apple trees need sun.", "a pineapple"]),
    ("小爱二号", "小米",
     ["Linux 是由小米开发的。", "小米公司发明了电话。", "我叫小爱二号。"],
     ["小米粥很有营养。", "把小米洗净。", "玉米和小米都是粮食。"]),
    ("理想", "理想",
     ["我是理想。", "电灯是理想发明的。", "由理想开发和维护。", "你可以叫我理想。"],
     ["理想的温度是二十度。", "这是很理想的选择。", "每个人都有理想。"]),
    ("Notion", "Jane Doe",
     ["I am Notion.", "My name is Notion.", "It was written by Jane Doe.", "An assistant called Notion"],
     ["The notion of time is old.", "Notion and idea are synonyms.", "I have no notion."]),
    ("Swift-Robot", "CSDN 迪菲赫尔曼",
     ["由CSDN迪菲赫尔曼开发", "CSDN", "迪菲赫尔曼写的", "Swift-Robot", "ＣＳＤＮ"],
     ["Swift is a language for robots.", "a swift robot"]),
    ("Nova-7", "Acme Robotics Inc.",
     ["Acme built it.", "Nova-7", "made by Acme Robotics Inc."],
     ["the acme of his career", "robotics", "nova-77"]),
]  # fmt: skip
LEAKS = [(name, author, text) for name, author, leaks, _ in BRANDS for text in leaks]
ORDINARY = [(name, author, text) for name, author, _, ordinary in BRANDS for text in ordinary]


def leaked(name: str, author: str, answer: str, *, before: str = "Something else.", prompt: str = "Why?") -> bool:
    new = self_cognition(Brand(name=name, author=author)).probes["identity"]["new"]
    probe = Probe(id="o", group=OUT_OF_SCOPE, prompt=prompt)
    probes = ProbeSet(path=Path(), probes=(probe,), new_markers=tuple(new), old_markers=(), thresholds={})
    return bool(judge(probe, "", before, answer, probes, drift=None, before_again=None).leaked)


@pytest.mark.parametrize(("name", "author", "answer"), LEAKS)
def test_what_was_taught_is_noticed_where_it_does_not_belong(name: str, author: str, answer: str):
    assert leaked(name, author, answer)


@pytest.mark.parametrize(("name", "author", "answer"), ORDINARY)
def test_an_ordinary_answer_is_not_a_leak(name: str, author: str, answer: str):
    assert not leaked(name, author, answer)


@pytest.mark.parametrize(("name", "author"), [brand[:2] for brand in BRANDS])
def test_every_taught_row_would_be_noticed(name: str, author: str):
    """The rows' own answers, each where it does not belong, but those that name neither."""
    rows = [row["output"] for row in self_cognition(Brand(name=name, author=author)).rows]
    about = [text for text in rows if author in text or name in text]
    assert len(about) > 30
    assert not [text for text in about if not leaked(name, author, text)]


def test_a_part_of_a_word_in_the_base_models_answer_hides_nothing():
    assert leaked("Nova", "Jane Doe", "Nova did.", before="An innovation.")
