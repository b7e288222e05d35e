"""Under which system prompts the probes are asked, by what is compared and what is asked for."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.fakes.answered import PROBES, SYSTEM, answered, report_on
from tests.fakes.run_record import run_of
from toolkit.compare.compare import CompareConfig, _questions
from toolkit.compare.questions import BANK, UNRELATED, Questions, answer_tokens, distinct, kind, matrix, read_bank
from toolkit.compare.report.figures import ledger_lines, where_it_holds
from toolkit.compare.sides import Side
from toolkit.compare.texts import Texts
from toolkit.core.errors import DataError
from toolkit.core.files import file_sha256
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED, Probe
from toolkit.data.probing.expectation import Expectation, read_expectation
from toolkit.model.conversation import DEFAULT, NONE, conversation
from toolkit.model.divergence import Drift
from toolkit.runs.run import Run

BASE = Side(kind="base", name="base", model=SimpleNamespace(path=Path("/base")))
PROMPT = Side(kind="system", name="p", model=BASE.model, system="You are Nova.")


def run(system: str) -> Side:
    return Side(kind="run", name="v0", model=BASE.model, run=run_of(system=system))


@pytest.mark.parametrize(
    ("before", "after", "asked", "systems", "full_count"),
    [
        (BASE, run("Be brief."), (), ("Be brief.", DEFAULT, NONE, UNRELATED), 1),
        (BASE, run(""), (), (DEFAULT, NONE, UNRELATED), 1),  # trained without a system message
        (run("Be brief."), BASE, (), ("Be brief.", DEFAULT, NONE, UNRELATED), 1),
        (BASE, BASE, (), (SYSTEM, DEFAULT, NONE, UNRELATED), 1),
        (BASE, run("Be brief."), ("a", "", "a"), ("a", ""), 2),
        (BASE, PROMPT, (), (DEFAULT,), 1),
        (PROMPT, run("Be brief."), (), ("Be brief.",), 1),
        (BASE, PROMPT, ("a", "b"), ("a", "b"), 2),
    ],
)
def test_the_system_prompts_follow_from_the_sides(before, after, asked, systems, full_count):
    found = _questions(CompareConfig(systems=asked), PROBES, before, after)

    assert (found.systems, found.full_count) == (systems, full_count)


def test_the_rows_own_system_prompt_is_asked_first_and_is_the_trained_one():
    record, own = run_of(system="Be brief.").record, "You are Tessa."
    record = record.with_fields(data=record.data.to_dict() | {"system": own})
    side = Side(kind="run", name="v0", model=BASE.model, run=Run(folder=Path("/v0"), record=record))

    assert _questions(CompareConfig(), PROBES, BASE, side).systems == (own, DEFAULT, NONE, UNRELATED)
    assert kind(own, side.training_system) == "training"
    assert side.default_system == own  # of chat and serve


class Model:
    """Its template says the same for no system message as for `SYSTEM`."""

    def prompt_ids(self, messages):
        system = messages[0]["content"] if messages[0]["role"] == "system" else SYSTEM
        return list(system.encode())


def questions(systems: tuple[str, ...], full_count: int) -> Questions:
    probes = (
        Probe(id="t", group=TRAINED, prompt="Who?", expect=Expectation(any=("Nova",))),
        Probe(id="o", group=OUT_OF_SCOPE, prompt="France?"),
    )
    probe_set = type(PROBES)(path=PROBES.path, probes=probes, new_markers=(), old_markers=(), thresholds={})
    return Questions(probes=probe_set, systems=systems, full_count=full_count, max_new_tokens=1)


def test_of_the_matrix_what_the_template_cannot_tell_apart_is_asked_once():
    found = questions((SYSTEM, DEFAULT, NONE), 1).without_duplicates_for(Model())

    assert found.systems == (SYSTEM, NONE)
    assert [(probe.id, system) for probe, system in found.items] == [
        ("t", SYSTEM), ("o", SYSTEM), ("t", NONE), ("o", NONE),
    ]  # fmt: skip


def test_what_was_named_is_asked_as_it_was_named():
    assert questions((SYSTEM, DEFAULT), 2).without_duplicates_for(Model()).systems == (SYSTEM, DEFAULT)


def test_drift_and_noise_are_measured_out_of_scope_under_those_full_count():
    assert questions((SYSTEM, DEFAULT), 1).outside == [1]
    assert questions((SYSTEM, DEFAULT), 2).outside == [1, 3]


def test_the_trained_prompt_is_the_first_of_four():
    assert matrix(SYSTEM) == (SYSTEM, DEFAULT, NONE, UNRELATED)


def test_a_model_trained_without_one_is_asked_under_three():
    assert matrix(DEFAULT) == (DEFAULT, NONE, UNRELATED)


def test_each_has_a_kind():
    told = [kind(system, SYSTEM) for system in (*matrix(SYSTEM), "You are a poet.")]

    assert told == ["training", "default", "none", "unrelated", "given"]
    assert kind(DEFAULT, DEFAULT) == "training"
    assert kind(SYSTEM, None) == "given"


def test_of_two_that_the_template_renders_alike_the_first_is_asked():
    assert distinct(["a", "", "b"], [[1], [1], [2]]) == ("a", "b")


def test_no_system_message_is_not_an_empty_one():
    assert conversation("Who?", DEFAULT) == [{"role": "user", "content": "Who?"}]
    assert conversation("Who?", NONE)[0] == {"role": "system", "content": ""}
    assert conversation("Who?", SYSTEM)[0] == {"role": "system", "content": SYSTEM}


def under(*passing: str, trying=(SYSTEM, DEFAULT, UNRELATED)):
    return report_on(
        *(answered(TRAINED, "Qwen", "Nova" if one in passing else "Hm", name="who", system=one) for one in trying)
    )


def test_the_report_says_where_the_change_holds():
    everywhere = [
        answered(TRAINED, "Qwen", "Nova", name=f"who-{at}", system=one)
        for one in (SYSTEM, DEFAULT, UNRELATED) for at in range(80)
    ]  # fmt: skip
    assert where_it_holds(report_on(*everywhere), Texts()).startswith("The change holds under every")
    assert where_it_holds(under(SYSTEM, DEFAULT, UNRELATED), Texts()).startswith("By the figures, the change holds")
    assert where_it_holds(under(SYSTEM), Texts()) == "The change holds only under the training system prompt."
    assert where_it_holds(under(SYSTEM), Texts("zh")) == "改动只在训练时的系统提示词下生效。"
    assert where_it_holds(under(SYSTEM, DEFAULT), Texts()) == f"The change does not hold under: {UNRELATED}."
    assert where_it_holds(under(UNRELATED), Texts()).startswith(
        f"The change does not hold under: {SYSTEM}, the model's"
    )


def test_it_says_nothing_where_one_was_tried_or_it_holds_nowhere():
    assert where_it_holds(under(), Texts()) == ""
    assert where_it_holds(under(SYSTEM, trying=(SYSTEM,)), Texts()) == ""


def test_a_ledger_shows_the_worst_system_prompt():
    found = {line.name: line for line in ledger_lines(under(SYSTEM, DEFAULT), "took")}

    assert (found["reliability"].metric.value, found["reliability"].system) == (0.0, UNRELATED)
    assert found["reliability"].missed
    assert found["generality"].metric.value is None


def test_what_one_system_prompt_alone_measures_is_shown_from_there():
    report = report_on(
        answered(OUT_OF_SCOPE, "Paris", "Paris", drift=Drift(kl_sum=1.0, agreeing=2, tokens=2), name="a"),
        answered(OUT_OF_SCOPE, "Paris", "Nova", name="a", system=""),
    )

    found = {line.name: line for line in ledger_lines(report, "kept")}

    assert (found["kl"].metric.value, found["kl"].system) == (0.5, SYSTEM)
    assert (found["leakage"].metric.value, found["leakage"].system) == (1.0, "")


def test_a_probe_that_expects_a_call_may_be_answered_as_long_as_it_is():
    def probe(note: str) -> Probe:
        expect = read_expectation({"call": {"name": "ring", "arguments": {"note": note}}}, "")
        return Probe(id="a", group=TRAINED, prompt="Ring!", expect=expect)

    assert answer_tokens(Probe(id="a", group=OUT_OF_SCOPE, prompt="Who?"), 64) == 64
    assert answer_tokens(probe(""), 64) == 128
    assert answer_tokens(probe("x" * 300), 64) == 512


def test_questions_with_tools_out_of_scope_are_asked_under_the_first_system_prompt_and_not_measured_for_drift():
    tools = '[{"type": "function", "function": {"name": "ring"}}]'
    inside = Probe(id="t", group=TRAINED, prompt="Ring!", expect=Expectation(any=("x",)), tools=tools)
    outside = Probe(id="o", group=OUT_OF_SCOPE, prompt="Look!", tools=tools)
    plain = Probe(id="p", group=OUT_OF_SCOPE, prompt="Who?")
    questions = Questions(
        probes=replace(PROBES, probes=(inside, outside, plain)), systems=("a", "b"), full_count=1, max_new_tokens=9
    )

    assert [(probe.id, system) for probe, system in questions.items] == [
        ("t", "a"), ("o", "a"), ("p", "a"), ("t", "b"), ("p", "b"),
    ]  # fmt: skip
    assert questions.outside == [2]


def test_the_banks_digest_is_the_files():
    bank = read_bank()

    assert bank.sha256 == file_sha256(bank.path)


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"question": "Why?"}', None])
def test_a_bank_that_cannot_be_read_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))
    if content is not None:
        (tmp_path / BANK).write_text(content)

    with pytest.raises(DataError, match="cannot be read"):
        read_bank()
