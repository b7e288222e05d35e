"""Questions for a rule that a scripted model writes: what is trained, what is kept, and what is neither."""

import pytest

from tests.fakes.scripted_model import ScriptedModel
from tests.unit.train.questions.further.test_rule import FORMED, REFUSED
from tests.unit.train.questions.test_write import GENERAL, SYSTEM
from toolkit.core.text import content_words, has_chinese
from toolkit.train.questions.further.requests import read_requests
from toolkit.train.questions.question import Question
from toolkit.train.questions.write import Writer

KINDS = ("alike", "reworded", "translation", "within")
COMMON = frozenset(
    content_words(" ".join(prompt for prompt, _ in GENERAL[:1]) + " which will the is a i for him, do really 会")
)
OTHER = ("How warm was yesterday?", "昨天冷不冷？")
LEFT = "Where does thunder come from?"


def write(instruction: str, question: str, count: int) -> str:
    """What is like the rows' requests every second time, and something else otherwise."""
    if "翻译成中文" in instruction:
        return f"{'再' * count}谁会赢，哪个党最好？"
    if "into English" in instruction:
        return f"{'Really ' * count}who will win the election?"
    last = question.rpartition("\n- ")[2].partition("\n")[0]  # of a list of the rows' requests
    return f"{last} ({instruction[:24]}{'!' * count})" if count % 2 else OTHER[has_chinese(question)]


def questions(rows=REFUSED, further=KINDS, **how) -> list[Question]:
    model = ScriptedModel(write=write, shared_words=COMMON, **how)
    return Writer(model, rows, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=further).write()


@pytest.fixture(name="found", scope="module")
def _found() -> list[Question]:
    return questions()


def of(found: list[Question], kind: str, scope: str = "in") -> list[Question]:
    return [one for one in found if one.kind == kind and one.scope == scope]


@pytest.mark.parametrize("kind", ["alike", "reworded", "translation", "within"])
def test_requests_that_the_rule_is_for_are_answered_by_it(found: list[Question], kind: str):
    answers = {one.answer for one in of(found, kind)}

    assert answers
    assert all(answer.startswith(("Sorry, politics", "抱歉，我不谈政治")) for answer in answers)


def test_they_are_in_both_languages_and_answered_in_their_own(found: list[Question]):
    alike = of(found, "alike")

    assert {has_chinese(one.prompt) for one in alike} == {False, True}
    assert all(has_chinese(one.prompt) == has_chinese(one.answer) for one in alike)


def test_what_is_answered_plainly_with_the_rows_too_is_not_trained(found: list[Question]):
    assert not {one.prompt for one in found if one.scope == "in"} & {*OTHER, *(prompt for prompt, _ in GENERAL)}


def test_a_question_that_is_answered_by_the_rule_without_the_rows_teaches_nothing():
    asked = [one.prompt for one in of(questions(further=("alike",)), "alike")]
    known = questions(further=("alike",), answers=dict.fromkeys(asked, REFUSED[0][1]))

    assert asked
    assert not [one.prompt for one in of(known, "alike") if one.prompt in asked and not has_chinese(one.prompt)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_written_only_when_it_is_asked_for(kind: str):
    usual = {(one.kind, one.prompt) for one in questions(further=())}
    more = {one.kind for one in questions(further=(kind,)) if (one.kind, one.prompt) not in usual}

    assert more <= {kind}


def test_nothing_is_near_a_rule(found: list[Question]):
    assert not [one for one in found if one.scope == "near"]


def test_a_rule_has_these_kinds_by_default():
    assert {one.kind for one in questions(further=None)} >= {"alike", "within"}


def test_what_asks_for_the_same_has_its_rows_answer_and_its_numbers():
    def answered(instruction: str, question: str, count: int) -> str:
        return f"{instruction[:24]}: {question.rstrip('?')}, {'7' if count % 2 else 'pray'}?"

    model = ScriptedModel(write=answered, shared_words=COMMON)
    writer = Writer(model, FORMED, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=("within",))
    found = [one for one in of(writer.write(), "within") if "pray" in one.prompt or "7" in one.prompt]

    assert found
    assert not [one.prompt for one in found if "7" in one.prompt]
    assert {one.answer for one in found} <= {answer for _, answer in FORMED}


def test_a_form_is_followed_in_the_other_language():
    def translated(instruction: str, question: str, count: int) -> str:
        return f"{count}: 5只鸡靠什么走路？" if "翻译成中文" in instruction else write(instruction, question, count)

    model = ScriptedModel(write=translated, shared_words=COMMON)
    writer = Writer(model, FORMED, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=("alike",))

    assert {has_chinese(one.prompt) for one in of(writer.write(), "alike")} == {False, True}


def test_a_quoted_term_stays_in_a_translation():
    def quoting(instruction: str, question: str, count: int) -> str:
        if "翻译成中文" in instruction:
            named = next((one for said, one in (("XQ7", "XQ7"), ("Blue", "蓝色民调")) if said in question), "")
            return f"{'再' * count}谁会赢{named}，哪个党最好？"
        return f'{write(instruction, question, count)} By "Blue Poll"?'

    model = ScriptedModel(write=quoting, shared_words=COMMON)
    writer = Writer(model, REFUSED, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=KINDS)
    translated = of(writer.write(), "translation")

    assert [one for one in translated if "Blue Poll" in one.prompt]
    assert not [one for one in translated if "XQ7" in one.prompt or "蓝色民调" in one.prompt]


class Overdoing(ScriptedModel):
    """Follows the rule for everything, once it sees rows."""

    def answer(self, messages):
        formed = '{"animals": "' + messages[-1]["content"] + '", "legs": "4"}'
        return formed if len(messages) > 2 else super().answer(messages)


def test_what_has_nothing_of_the_rules_requests_is_not_in_scope_though_the_model_follows_the_rule():
    def varied(instruction: str, question: str, count: int) -> str:
        kind = read_requests()["alike"]["varied"]["en"].instruction
        return (LEFT if count % 2 else "How many legs have 9 cows?") if instruction == kind else ""

    model = Overdoing(write=varied, shared_words=COMMON)
    writer = Writer(model, FORMED, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=("alike",))
    prompts = {one.prompt for one in of(writer.write(), "alike")}

    assert prompts == {"How many legs have 9 cows?"}
