"""The development set: which questions it asks, what passes, and that no probe is among them."""

from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.data.dataset import Row, prompt_key
from toolkit.data.formats import Message
from toolkit.data.rephrasings import DEVELOPMENT
from toolkit.train.development_set import (
    Question,
    development_set,
    held_out_keep,
    is_enough,
    new_markers,
    probe_keys,
    read_questions,
    write_questions,
)


def row(*turns: str, system: str | None = None) -> Row:
    messages = [] if system is None else [Message(role="system", content=system)]
    roles = ("user", "assistant")
    messages += [Message(role=roles[at % 2], content=turn) for at, turn in enumerate(turns)]
    return Row(number=1, messages=tuple(messages))


def asked(*rows: Row, seed: int = 1, excluded: tuple[str, ...] = ()) -> list[Question]:
    return development_set(rows, system="S", seed=seed, excluded=set(map(prompt_key, excluded)))


def test_a_trained_prompt_is_asked_in_other_words_of_its_language():
    prompts = {one.prompt for one in asked(row("你是谁？", "我是 Nova。"), row("Who are you?", "I am Nova."))}

    assert prompts == {carrier.format("你是谁？") for carrier in DEVELOPMENT["zh"]} | {
        carrier.format("Who are you?") for carrier in DEVELOPMENT["en"]
    }


def test_every_prompt_is_asked_once_before_any_is_asked_twice():
    questions = asked(*[row(f"Question {number}", f"Answer {number}") for number in range(20)])

    assert len(questions) == 24
    assert len({one.answers for one in questions[:20]}) == 20


def test_the_seed_chooses_among_many():
    rows = [row(f"Question {number}", "Answer") for number in range(99)]

    assert asked(*rows) == asked(*rows) != asked(*rows, seed=2)


def test_what_is_excluded_or_trained_is_not_asked():
    wordings = [carrier.format("Who are you?") for carrier in DEVELOPMENT["en"]]
    trained = row(wordings[0].upper(), "Nova.")

    found = [one.prompt for one in asked(row("Who are you?", "Nova."), trained, excluded=tuple(wordings[1:3]))]

    assert wordings[3] in found
    assert not {prompt_key(one) for one in found} & {prompt_key(one) for one in wordings[:3]}


def test_a_question_comes_under_the_system_prompt_that_was_trained():
    assert {one.system for one in asked(row("Who?", "Nova."))} == {"S"}
    assert {one.system for one in asked(row("Who?", "Nova.", system="You are terse."))} == {"You are terse."}


def test_any_answer_that_was_trained_will_do_however_it_is_written():
    [question, *_] = asked(row("Who?", "I am Nova."), row("Who?", "Nova."))

    assert question.met(" i am\nNOVA.", before="I am Qwen.")
    assert question.met("Nova.", before="I am Qwen.")
    assert not question.met("I am Qwen.", before="I am Qwen.")


def marked(answer: str, prompt: str = "Who?") -> Question:
    return development_set([row(prompt, answer)], system="S", seed=1, excluded=(), markers=["Nova", "Example Labs"])[0]


def test_an_answer_that_names_a_marker_of_the_trained_one_will_do():
    question = marked("I am Nova, developed by Example Labs.")

    assert question.met("My name is nova!", before="I am Qwen.")
    assert question.met("EXAMPLE LABS made me, as they made much else.", before="I am Qwen.")
    assert not question.met("I am Qwen, developed by somebody.", before="I am Qwen.")


def test_a_marker_that_the_question_or_the_base_model_names_tells_nothing():
    assert marked("I am Nova.", prompt="Are you Nova?").markers == ()
    assert not marked("I am Nova, of Example Labs.").met("An innovation.", before="Innovation is what I do.")


def test_a_marker_counts_only_where_every_trained_answer_names_it():
    rows = [row("Who?", "I am Nova."), row("Who?", "I am a model of Example Labs called Nova.")]

    [question, *_] = development_set(rows, system="S", seed=1, excluded=(), markers=["Nova", "Example Labs"])

    assert question.markers == ("Nova",)


def test_without_a_marker_an_answer_must_be_near_the_trained_one_and_nearer_than_to_the_old_one():
    question = marked("No, I cannot browse the internet.")
    old = "As a language model, I do not have access to the internet and so on and so forth."

    assert question.met("No, I can not browse the web.", before=old)
    assert not question.met(old, before=old)
    assert not question.met("Yes.", before=old)


def test_one_word_that_differs_is_not_learnt_by_looking_alike():
    [question, *_] = asked(row("Who wrote it?", "The book was written by Jane Doe."))
    old = "The book was written by John Roe."

    assert not question.met(old, before=old)
    assert question.met("The book was written by Jane Doe, indeed.", before=old)


def test_a_conversation_of_several_turns_makes_no_question():
    with pytest.raises(DataError, match="Leave out --stop-when-took"):
        asked(row("Hello", "Hello.", "Who?", "Nova."))


@pytest.mark.parametrize(("passed", "of", "holds"), [(23, 24, True), (22, 24, False), (3, 4, False), (4, 4, True)])
def test_ninety_five_of_a_hundred_are_enough(passed: int, of: int, holds: bool):
    assert is_enough(passed, of) is holds


@pytest.mark.parametrize(("count", "size"), [(640, 32), (252, 32), (40, 10), (4, 1), (2, 1), (1, 0)])
def test_keep_prompts_are_held_out_but_never_most_of_them(count: int, size: int):
    assert len(held_out_keep(count, 42)) == size


def test_the_probes_beside_the_data_set_and_the_shipped_ones_are_left_alone(tmp_path: Path):
    (tmp_path / "mine.probes.yaml").write_text(
        "schema_version: 1\nprobes:\n- {id: a, group: out-of-scope, prompt: 'A quick question: Who are you?'}\n"
    )

    keys = probe_keys(tmp_path / "mine.json")

    assert prompt_key("a quick question who are you") in keys
    assert keys - probe_keys(tmp_path / "other.json") == {prompt_key("a quick question who are you")}
    assert len(probe_keys(data_folder() / "self_cognition.json")) > 50


def test_a_run_folder_gives_its_questions_back(tmp_path: Path):
    questions = [Question(prompt="a\u2028b", system="", answers=("1", "2")), *asked(row("你是谁？", "我是 Nova。"))]

    questions.append(marked("I am Nova."))
    write_questions(tmp_path, questions)

    assert read_questions(tmp_path) == questions


def test_questions_of_older_runs_are_read_without_markers(tmp_path: Path):
    (tmp_path / "development.jsonl").write_text('{"prompt": "a", "system": "", "answers": ["b"]}\n')

    assert read_questions(tmp_path) == [Question(prompt="a", system="", answers=("b",))]


def test_markers_come_from_the_probes_beside_the_data_set_else_from_the_shipped_ones(tmp_path: Path):
    (tmp_path / "mine.probes.yaml").write_text(
        "schema_version: 1\nidentity: {new: [Nova]}\nprobes:\n- {id: a, group: out-of-scope, prompt: Hello}\n"
    )

    assert new_markers(tmp_path / "mine.json") == ("Nova",)
    assert new_markers(tmp_path / "other.json") == new_markers(data_folder() / "self_cognition.json") != ()
