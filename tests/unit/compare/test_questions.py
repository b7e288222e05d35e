"""Under which system prompts the probes are asked, by what is compared and what is asked for."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.fakes.answered import PROBES, SYSTEM
from tests.fakes.run_record import run_of
from toolkit.compare.compare import CompareConfig, _questions
from toolkit.compare.questions import UNRELATED, Questions
from toolkit.compare.sides import Side
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED, Expectation, Probe
from toolkit.model.conversation import DEFAULT, NONE

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
    assert [(probe.id, system) for probe, system in found.asked] == [
        ("t", SYSTEM), ("o", SYSTEM), ("t", NONE), ("o", NONE),
    ]  # fmt: skip


def test_what_was_named_is_asked_as_it_was_named():
    assert questions((SYSTEM, DEFAULT), 2).without_duplicates_for(Model()).systems == (SYSTEM, DEFAULT)


def test_drift_and_noise_are_measured_out_of_scope_under_those_full_count():
    assert questions((SYSTEM, DEFAULT), 1).outside == [1]
    assert questions((SYSTEM, DEFAULT), 2).outside == [1, 3]
