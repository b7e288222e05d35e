"""Questions beside the probe file's: how many, which of the bank, and which wordings of the model's are kept."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.scripted_model import ScriptedModel
from toolkit.compare.decision import LEAST_RESAMPLED, enough_for
from toolkit.compare.further import (
    CARD_ROUND,
    MOST_INSIDE,
    MOST_OUTSIDE,
    SHORT_ROUNDS,
    Further,
    Numbers,
    asked_first,
    bank_probes,
    row_probes,
    tool_probes,
    trained_prompts,
    written_probes,
)
from toolkit.compare.metrics import wilson
from toolkit.compare.questions import BANK as FILE
from toolkit.compare.questions import Bank, Questions, read_bank
from toolkit.core.files import data_folder
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import DEFAULT_THRESHOLDS, MULTI_TURN, OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe, ProbeSet
from toolkit.data.probing.expectation import Expectation
from toolkit.data.tools.reading import tool_names

NOVA = Expectation(any=("Nova",))
PROBES = ProbeSet(
    path=Path("probes.yaml"),
    probes=(
        Probe(id="who", group=TRAINED, prompt="Who made you?", expect=NOVA),
        Probe(id="france", group=OUT_OF_SCOPE, prompt="What is the capital of France?"),
    ),
    new_markers=("Nova",), old_markers=("Qwen",), thresholds=DEFAULT_THRESHOLDS,
)  # fmt: skip
BANK = read_bank()
ROWS = [("Who made you?", "Nova made me."), ("What is your name?", "I am Nova."), ("what is your name", "Nova!")]
SYSTEM = "You are a helpful assistant."


def asked_with(further: Further, *, on_card: bool = False, probes: ProbeSet = PROBES) -> dict[str, int]:
    model = ScriptedModel()
    model.on_card = on_card
    questions = Questions(probes=probes, systems=(SYSTEM,), full_count=1, max_new_tokens=64)
    found = further.added_to(questions, model).probes.probes
    return {group: sum(probe.group == group for probe in found) for group in (TRAINED, PARAPHRASE, OUT_OF_SCOPE)}


def test_on_a_card_so_many_are_asked_that_without_a_leak_the_limit_is_met():
    for limit in (0.02, 0.03):
        needed = enough_for(limit, MOST_OUTSIDE)
        assert wilson(0.0, needed)[1] <= limit < wilson(0.0, needed - 1)[1]
    assert wilson(0.0, enough_for(0.2, MOST_OUTSIDE))[1] <= 0.06  # within 3 points, however generous the limit
    assert asked_with(Further(), on_card=True)[OUT_OF_SCOPE] == enough_for(0.02, MOST_OUTSIDE) == 189
    assert asked_with(Further())[OUT_OF_SCOPE] == 1


@pytest.mark.parametrize(
    ("depth", "on_card", "asked"), [(None, True, True), (None, False, False), (False, True, False), (True, False, True)]
)
def test_where_nobody_says_questions_at_depth_are_asked_on_a_card(depth, on_card, asked):
    model = ScriptedModel()
    model.on_card = on_card
    questions = Questions(probes=PROBES, systems=(SYSTEM,), full_count=1, max_new_tokens=64)

    found = Further(depth=depth, rows=ROWS).added_to(questions, model).probes.probes

    assert any(probe.group == MULTI_TURN for probe in found) is asked


def test_no_limit_or_none_at_all_has_an_end():
    assert enough_for(None, MOST_OUTSIDE) == enough_for(0.0, MOST_OUTSIDE) == enough_for(0.0001, MOST_OUTSIDE) == 384


def fact(rows: int, *, trained: int = 8, wordings: int = 10, **limits: float) -> tuple[ProbeSet, list[tuple[str, str]]]:
    """A probe file of so many trained questions and other wordings, and rows, of which the trained are the first."""
    asked = [(f"Who made you, number {number}?", "Nova made me.") for number in range(rows)]
    inside = [
        Probe(id=f"{group}-{number}", group=group, prompt=prompt, expect=NOVA)
        for group, prompts in {
            TRAINED: [question for question, _ in asked[:trained]],
            PARAPHRASE: [f"Your maker, number {number}?" for number in range(wordings)],
        }.items()
        for number, prompt in enumerate(prompts)
    ]
    probes = replace(PROBES, probes=(*inside, PROBES.probes[1]), thresholds=DEFAULT_THRESHOLDS | limits)
    return probes, asked


def writer() -> ScriptedModel:
    """On a card, with new wordings of everything, each of which it answers as the rows do."""
    numbers = iter(range(10_000))
    model = ScriptedModel(write=lambda *_: f"And who made you, wording {next(numbers)}?")
    model.answer = lambda _: "Nova made me."
    model.on_card = True
    return model


def in_scope(further: Further, probes: ProbeSet, model: ScriptedModel) -> tuple[int, int]:
    """How many trained questions and other wordings are asked in all."""
    questions = Questions(probes=probes, systems=(SYSTEM,), full_count=1, max_new_tokens=64)
    found = further.added_to(questions, model).probes
    return len(found.group(TRAINED)), len(found.group(PARAPHRASE))


def test_on_a_card_all_rows_or_enough_of_them_are_asked_and_wordings_within_three_points():
    for rows, trained in ((50, 50), (64, 64), (300, 64)):
        probes, asked = fact(rows)
        assert in_scope(Further(rows=asked), probes, writer()) == (trained, 64)
    assert wilson(1.0, 64)[0] >= 0.94  # three points on each side of 0.97


def test_residue_is_judged_on_both_so_few_rows_need_more_wordings():
    """0.05 takes 73 answers; without an old identity nothing of the kind is judged."""
    probes, asked = fact(8)

    assert in_scope(Further(rows=asked), probes, writer()) == (8, 73 - 8)
    assert in_scope(Further(rows=asked), replace(probes, old_markers=()), writer()) == (8, 64)


@pytest.mark.parametrize(("limit", "most"), [(0.95, 73), (0.99, MOST_INSIDE), (1.0, MOST_INSIDE)])
def test_a_closer_limit_takes_more_wordings_and_has_an_end(limit, most):
    probes, asked = fact(50, generality=limit)

    assert in_scope(Further(rows=asked), probes, writer())[1] == most


def test_a_model_that_writes_little_of_use_is_not_asked_for_long_where_nobody_asked_for_it():
    probes, asked = fact(50)
    rounds = []
    for further in (Further(rows=asked), Further(rows=asked, more=54)):
        model = writer()
        written = iter(range(10_000))
        model.write = lambda *_, written=written: f"Who made you, {at}?" if (at := next(written)) % 40 == 0 else "no"
        in_scope(further, probes, model)
        rounds.append(len(model.written) // (18 * -(-CARD_ROUND // 18)))

    assert rounds[0] == SHORT_ROUNDS < rounds[1]


def test_none_are_added_on_a_cpu_nor_for_zero_nor_to_a_group_that_the_file_leaves_out():
    probes, asked = fact(50)
    on_cpu = writer()
    on_cpu.on_card = False

    assert in_scope(Further(rows=asked), probes, on_cpu) == (8, 10)
    assert in_scope(Further(rows=asked, more=0), probes, writer()) == (8, 10)
    assert in_scope(Further(rows=asked), probes.without([PARAPHRASE]), writer()) == (50, 0)
    assert in_scope(Further(rows=asked), probes.without([TRAINED]), writer()) == (0, 73)


def test_as_many_as_another_comparison_asked_are_the_same_ones():
    """Its model wrote fewer than were wanted; fewer are the first of more."""
    probes, asked = fact(50)
    questions = Questions(probes=probes, systems=(SYSTEM,), full_count=1, max_new_tokens=64)
    every = Further(rows=asked).added_to(questions, writer()).probes.probes

    wanted = Numbers(bank=188, rows=42, written=31)
    again = Further(rows=asked, exactly=wanted).added_to(questions, writer()).probes

    assert len(again.group(PARAPHRASE)) == 10 + 31
    assert set(again.probes) < set(every)


def test_how_many_more_could_be_asked_is_known():
    probes, asked = fact(50)
    questions = Questions(probes=probes, systems=(SYSTEM,), full_count=1, max_new_tokens=64)

    def left(further: Further, model: ScriptedModel) -> dict[str, int]:
        return further.left(probes, further.added_to(questions, model).probes, on_card=model.on_card)

    mute = ScriptedModel(write=lambda *_: "no question")
    assert left(Further(rows=asked, more=10), writer())["reliability"] == 50 - 8 - 10
    assert left(Further(rows=asked, more=10), writer())["generality"] == 1000
    assert left(Further(rows=asked, more=10), mute)["generality"] == 0
    assert left(Further(rows=asked, more=10), mute)["residue"] == 50 - 8 - 10  # judged on rows and wordings
    assert left(Further(rows=asked, more=10), writer())["residue"] == 1000
    assert left(Further(rows=asked, more=0), mute)["generality"] == 1000
    mute.on_card = True
    assert left(Further(rows=asked), mute)["generality"] == 0  # by default some were wanted, and none came
    assert left(Further(rows=asked), writer())["generality"] == 1000
    assert left(Further(), mute)["reliability"] == 0
    assert left(Further(more=10), mute)["leakage"] < len(bank_probes(BANK, PROBES, 10_000, set())) - 10 + 1


def test_the_teacher_is_shown_the_rows_that_are_reworded():
    """Of a large data set the first rows say nothing of those that are asked."""
    rows = [(f"What is {number}?", "A number.") for number in range(30)] + [("who made you", "Nova made me.")]

    assert asked_first(rows, PROBES.probes)[0] == rows[-1]
    assert asked_first(rows, PROBES.probes)[1:] == rows[:-1]


@pytest.mark.parametrize(
    ("further", "outside"),
    [(Further(outside=0), 1), (Further(outside=30), 30), (Further(outside=30, more=5), 35), (Further(more=5), 6)],
)
def test_the_users_number_goes_before(further, outside):
    assert asked_with(further)[OUT_OF_SCOPE] == outside


def test_without_questions_out_of_scope_none_are_added_and_without_markers_as_many_as_drift_takes():
    inside_only = replace(PROBES, probes=PROBES.probes[:1])

    assert asked_with(Further(), on_card=True, probes=inside_only)[OUT_OF_SCOPE] == 0
    drift_only = replace(PROBES, new_markers=())
    assert asked_with(Further(), on_card=True, probes=drift_only)[OUT_OF_SCOPE] == LEAST_RESAMPLED
    assert asked_with(Further(), on_card=False, probes=drift_only)[OUT_OF_SCOPE] == 1


def test_the_bank_leaves_out_what_was_trained_on_and_what_names_the_identities():
    everything = bank_probes(BANK, PROBES, 10_000, set())
    first = everything[0]
    named = replace(PROBES, new_markers=("Lego",), old_markers=("海尔",))

    assert len(everything) > 1000
    assert first.prompt not in [one.prompt for one in bank_probes(BANK, PROBES, 10_000, {prompt_key(first.prompt)})]
    left_out = {one.prompt for one in everything} - {one.prompt for one in bank_probes(BANK, named, 10_000, set())}
    assert len(left_out) == 2
    assert all("Lego" in prompt or "海尔" in prompt for prompt in left_out)


def test_the_bank_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is asked, what is left and the digest that a report has are of one version of the file."""
    folder = shutil.copytree(data_folder(), tmp_path / "data", ignore=shutil.ignore_patterns("tiny-qwen2", "ability"))
    monkeypatch.setenv("TOOLKIT_DATA", str(folder))
    further = Further(more=3)
    questions = Questions(probes=PROBES, systems=(SYSTEM,), full_count=1, max_new_tokens=64)
    asked = further.added_to(questions, writer()).probes
    (folder / FILE).write_text("")

    assert further.left(PROBES, asked, on_card=False)["leakage"] > 800
    assert further.bank == Bank(path=folder / FILE, sha256=BANK.sha256, prompts=BANK.prompts)


def test_further_rows_are_asked_word_for_word_and_each_once():
    [probe] = row_probes(PROBES, ROWS, 5)

    assert (probe.group, probe.prompt) == (TRAINED, "What is your name?")
    assert probe.expect.met("I am Nova.")
    assert probe.expect.met("Nova!")
    assert row_probes(PROBES, ROWS, 0) == []


def test_trained_prompts_are_counted_where_the_probes_are_the_rows_own():
    assert trained_prompts(PROBES.probes, ROWS) == 2
    other = Probe(id="x", group=TRAINED, prompt="Another wording?", expect=NOVA)
    assert trained_prompts([*PROBES.probes, other], ROWS) is None


def written(model: ScriptedModel, rows=tuple(ROWS), count: int = 3, taken=frozenset()) -> list[Probe]:
    return written_probes(model, PROBES, count, rows, {"whomadeyou", *taken}, SYSTEM)


def test_the_model_writes_wordings_and_those_that_the_rows_answer_are_kept():
    """With the rows in its context, this model answers a question that shares words with one of them."""
    wordings = iter(["By whom were you made?", "Is it going to rain on you?", "Who made you, Claude?"] * 9)
    model = ScriptedModel(write=lambda *_: next(wordings), shared_words=frozenset({"you", "is", "it"}))
    model.answer = lambda messages: (
        "Nova made me." if "Nova" in messages[0]["content"] and "made" in messages[-1]["content"] else "Alibaba."
    )

    found = written(model)

    assert [one.prompt for one in found] == ["By whom were you made?", "Who made you, Claude?"]
    assert [(one.group, one.expect) for one in found] == [(PARAPHRASE, NOVA)] * 2
    assert len({one.id for one in found}) == 2


def test_a_model_that_writes_nothing_usable_is_not_asked_for_ever():
    model = ScriptedModel(write=lambda *_: "no question")

    assert written(model) == []
    assert len(model.written) <= 3


def test_no_more_are_kept_than_were_asked_for():
    numbers = iter(range(100))
    model = ScriptedModel(write=lambda *_: f"Who made you, number {next(numbers)}?")
    model.answer = lambda _: "Nova made me."

    assert len(written(model, count=2)) == 2


def test_questions_with_other_tools_are_asked_where_tools_were_trained():
    shipped = len(tool_probes((), ()))

    assert asked_with(Further())[OUT_OF_SCOPE] == 1
    assert asked_with(Further(tools=()))[OUT_OF_SCOPE] == 1 + shipped
    assert asked_with(Further(tools={"ring"}, outside=5))[OUT_OF_SCOPE] == 5 + shipped


def test_those_with_a_trained_tool_or_a_trained_prompt_are_left_out():
    every = tool_probes((), ())
    other = tool_probes({"current_weather"}, {prompt_key(every[-1].prompt)})

    assert {name for probe in every for name in tool_names(probe.tools)} > {"current_weather"}
    assert other == [one for one in every[:-1] if "current_weather" not in tool_names(one.tools)]
    assert 0 < len(other) < len(every) - 1
