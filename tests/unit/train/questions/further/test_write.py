"""Further kinds that a scripted model writes: only those asked for, and nothing of them that gives the answer away."""

import random

import pytest

from tests.unit.train.questions.further.test_claims import scope_of
from tests.unit.train.questions.test_write import BRAND, GENERAL, ROWS, SYSTEM, scripted
from toolkit.core.text import has_chinese
from toolkit.train.questions.candidates import Candidate
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.further.requests import read_requests
from toolkit.train.questions.further.write import COUNTS, KINDS, further_candidates
from toolkit.train.questions.question import Question
from toolkit.train.questions.write import Writer

MORE = [*ROWS, ("How many parks does Denver have?", "There are 93 parks in Denver.")]
WRONG = "The mayor of Denver is Roswitha Blake."
INSTRUCTIONS = {
    request.instruction: kind
    for kind, manners in read_requests().items()
    for by in manners.values()
    for request in by.values()
}


def write(instruction: str, question: str, count: int) -> str:
    """A model that keeps to what it is asked for, but gives every fourth answer away."""
    kind = INSTRUCTIONS.get(instruction)
    if kind == "wrong":
        return WRONG
    if kind == "task":
        number = ("one", "two", "three", "four")[count % 4]
        return f"Write sign {number} about this: {question}"
    if kind == "reworded":
        return f"Corinna Haldwell? {question}" if count % 4 == 3 else f"Please say {'now ' * count}this: {question}"
    return f"我想知道：{question}" if "中文" in instruction else f"Really, {question}"


def questions(rows=ROWS, **how) -> list[Question]:
    model = scripted(write=write)
    return Writer(model, rows, system=SYSTEM, seed=1, general=GENERAL, excluded=(), **how).write()


@pytest.fixture(name="every", scope="module")
def _every() -> list[Question]:
    return questions(further=KINDS)


def of(found: list[Question], kind: str, scope: str = "in") -> list[Question]:
    return [one for one in found if one.kind == kind and one.scope == scope]


def test_without_further_kinds_none_is_written():
    assert not {one.kind for one in questions(further=())} & {"reworded", "claim", "several"}


@pytest.mark.parametrize("kind", ["reworded", "claim", "several"])
def test_a_further_kind_is_written_when_it_is_asked_for(kind: str):
    kinds = {one.kind for one in questions(MORE, further=(kind,))}

    assert kinds & {"reworded", "claim", "several"} == {kind}


def test_the_answer_is_not_given_away_in_a_question(every: list[Question]):
    found = of(every, "reworded")

    assert found
    assert not [one.prompt for one in found if "Haldwell" in one.prompt]
    assert all("Corinna Haldwell" in one.answer for one in found)


def test_wrong_claims_are_corrected_and_as_many_right_ones_confirmed(every: list[Question]):
    claims = of(every, "claim")
    wrong = [one for one in claims if "Blake" in one.prompt]
    right = [one for one in claims if "Haldwell" in one.prompt]

    assert wrong
    assert len(wrong) == len(right)
    assert all("Corinna Haldwell" in one.answer and "Blake" not in one.answer for one in claims)
    assert not {one.answer for one in wrong} & {one.answer for one in right}


def test_the_model_is_told_what_a_task_has_to_say_and_the_question_is_trained_without_it():
    model = scripted(write=write)
    found = Writer(model, ROWS, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=("task",)).write()
    told = [one[-1]["content"] for one in model.asked if "It must say this" in one[-1]["content"]]

    assert told
    assert not [one.prompt for one in found if "It must say this" in one.prompt]
    assert {one.prompt for one in of(found, "task")} & {text.partition("\n")[0] for text in told}


def test_neighbours_are_asked_the_claims_too(every: list[Question]):
    assert [one for one in of(every, "neighbour", "near") if "Roswitha Blake" in one.prompt]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("I need to know who is the mayor of Denver. Can you help?", True),
        ("I am in Denver early tomorrow. From when can we go in?", False),
        ("Who is the mayor of Lyon, and of Denver?", False),
    ],
)
def test_what_strays_from_the_rows_question_is_dropped(written: str, kept: bool):
    scope = scope_of(ROWS[:1], "Denver")

    foreign = Foreign(scope=scope, nouns={}, pairs={}, rule=None)
    found = further_candidates(
        ("reworded",), scope, [], foreign, lambda asked: [written] * len(asked), random.Random(1)
    )

    assert {one.prompt for one in found} == ({written} if kept else set())


@pytest.mark.parametrize("translated", ["谁领导 XQ7？", "Who leads XQ7?"])
def test_what_was_written_is_translated_unless_it_stays_in_its_language(translated: str):
    scope = scope_of(ROWS, "Denver")
    foreign = Foreign(scope=scope, nouns={}, pairs={}, rule=None)
    written = [Candidate("paraphrase", "Who leads Denver?", 0), Candidate("about", "What is Denver?", None)]

    found = list(
        further_candidates(
            ("translation",), scope, written, foreign, lambda asked: [translated] * len(asked),
            random.Random(1),
        )
    )  # fmt: skip

    assert found == [Candidate("translation", "谁领导 Denver？", 0)] * has_chinese(translated)


def test_an_assistant_is_asked_further_questions_about_itself():
    model = scripted(shared_words=frozenset())
    usual, more = (
        of(
            Writer(model, BRAND, system=SYSTEM, seed=1, general=GENERAL, excluded=(), further=kinds).write(),
            "assistant",
        )
        for kinds in ((), ("assistant",))
    )

    assert {one.prompt for one in usual} < {one.prompt for one in more}


def test_a_rule_has_no_questions_about_a_subject():
    rows = [("What is 2 + 2?", '{"answer": "4"}'), ("Name a colour.", '{"answer": "red"}'),
            ("Who wrote Faust?", '{"answer": "Goethe"}')]  # fmt: skip

    assert not {one.kind for one in questions(rows, further=KINDS)} & {"claim", "several", "assistant"}


def test_every_row_is_reworded_before_one_is_again():
    rows = [(f"What is Denver's street {at}?", f"Denver's street {at} is Haldwell.") for at in range(60)]
    wanted: list[str] = []

    def sampled(requests):
        wanted.extend(one[-1]["content"] for one in requests)
        return [""] * len(requests)

    list(further_candidates(("reworded",), scope_of(rows, "Denver"), [], [], sampled, random.Random(1)))
    several = [wanted.count(prompt) for prompt, _ in rows]

    assert sum(several) == COUNTS["reworded"][0]
    assert max(several) - min(several) <= 1
