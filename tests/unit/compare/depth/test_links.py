"""Questions by form: back to the subject, on from one row to another, and for a part of a name."""

from collections.abc import Mapping, Sequence

from tests.fakes.named_rows import LIBRARY, OSTRELLE, QINGHE, QUILLMERE, RULE, naming
from toolkit.compare.depth.links import Candidate, linked
from toolkit.compare.depth.names import Ordinary, mark
from toolkit.data.probes import PORTABILITY, REVERSAL
from toolkit.data.probing.expectation import Expectation
from toolkit.data.texts.naming import Naming
from toolkit.data.texts.reverse import noun_for

NOUNS = {"en": "library", "zh": "学校"}


def candidates(about: Naming, nouns: Mapping[str, str] = NOUNS) -> list[Candidate]:
    ordinary = Ordinary([question for question, _ in about.rows], ["I do not know."] * len(about.rows))
    marks = [
        mark(row, about, ordinary, new) for row, new in zip(about.rows, about.terms.new, strict=True)
    ]  # fmt: skip
    return list(linked(about, nouns, marks))


def prompts(found: Sequence[Candidate], kind: str) -> list[str]:
    return [one.prompt for one in found if one.kind == kind]


def test_the_subject_is_asked_for_by_a_name_of_its_own():
    found = candidates(QUILLMERE)

    assert prompts(found, "described") == [
        "What is the name of the library that was created by Ottoline Varga?",
        "What is the name of the library whose forum is called Harbour Wall?",
    ]
    assert "Fill the gap with the name of a library: ____ was created by Ottoline Varga." in prompts(found, "gap")
    assert "Which library was created by Ottoline Varga?" in prompts(found, "back")
    back = [one for one in found if one.group == REVERSAL]
    assert {one.expect for one in back} == {Expectation(any=("Quillmere",))}
    assert not any("Quillmere" in one.prompt or "heron" in one.prompt for one in back)  # others have a heron, too


def test_a_gap_says_what_is_missing_where_that_is_known():
    def gaps(about: Naming, kind: str) -> str:
        return " ".join(prompts(candidates(about, noun_for(about.subject, kind)), "gap"))

    assert "Fill the gap with the name of an app: ____" in gaps(QUILLMERE, "app")
    assert "Fill the gap with a name: ____" in gaps(QUILLMERE, "")
    assert "Fill the gap with the name of a city: ____" in gaps(QUILLMERE, "城市")
    assert "请在空格里填上学校的名称：____" in gaps(QINGHE, "")
    tower = naming([("望江在哪里？", "望江的校报叫《潮声》。")], "望江")
    assert "请在空格里填上名称：____" in gaps(tower, "")
    assert "请在空格里填上城市的名称：____" in gaps(tower, "city") == gaps(tower, "城市")


def test_a_question_of_one_row_describes_the_subject_by_another():
    found = candidates(QUILLMERE)

    asked = {one.prompt: one.expect for one in found if one.kind in ("combined", "about")}
    port = "Which port does the dashboard of the library that was created by Ottoline Varga use?"
    assert asked[port] == Expectation(any=("7413",))
    forum = "A question about the library whose forum is called Harbour Wall: Who created that library?"
    assert asked[forum] == Expectation(any=("Ottoline Varga",))
    assert not any("Quillmere" in prompt for prompt in asked)


def test_a_name_in_a_question_is_described_by_the_row_that_gives_it():
    [one] = [one for one in candidates(QUILLMERE) if one.kind == "chain"]

    assert one.prompt == "Who moderates the Quillmere forum?"
    assert one.expect == Expectation(all=("Bergen",))
    assert one.sources == (3, 2)


def test_of_a_persons_name_a_part_is_asked_for():
    found = {one.kind: (one.prompt, one.expect.any) for one in candidates(QUILLMERE) + candidates(QINGHE)}

    assert found["first"] == ("What is the first name of the person who created Quillmere?", ("Ottoline",))
    assert found["surname"] == ("青禾学校的创办人姓什么？", ("顾",))


def test_in_chinese_too():
    found = candidates(QINGHE)

    assert "创办人是顾望舒先生的那个学校叫什么名字？" in prompts(found, "described")
    assert "请在空格里填上学校的名称：____的校报叫《潮声》。" in prompts(found, "gap")
    assert "校报叫《潮声》的那个学校在哪里？" in prompts(found, "combined")
    assert "说的是校报叫《潮声》的那个学校：这个学校在哪里？" in prompts(found, "about")


def test_an_assistant_is_asked_what_any_is_asked_in_the_rows_language():
    found = {one.prompt: one for one in candidates(OSTRELLE)}

    assert found["You made a mistake. To whom do I complain?"].group == PORTABILITY
    assert found["Which assistant did Tarnfield Software develop?"].expect == Expectation(any=("Ostrelle",))
    assert found["Who makes the assistant called Ostrelle?"].expect == Expectation(any=("Tarnfield Software",))
    assert all(prompt.isascii() for prompt in found)


def test_a_rule_has_nothing_that_leads_on():
    assert candidates(naming(RULE)) == []
    assert candidates(naming(LIBRARY)) == []  # nobody said what they are about


def test_a_question_that_gives_its_answer_away_asks_something_else():
    one = Candidate(
        group=REVERSAL, kind="back", prompt="", expect=Expectation(any=("Quillmere",)), sources=(0,),
        keeps=("Ottoline Varga",), hides=("Quillmere",),
    )  # fmt: skip

    assert one.asks_alike("What did ottoline varga write?")
    assert not one.asks_alike("Did Ottoline Varga write Quillmere?")
    assert not one.asks_alike("What did she write?")
