"""Answers with calls in another form than Hermes': judged as the calls that they are."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.compare.answering import Answered
from toolkit.compare.metrics import judge
from toolkit.compare.questions import Questions
from toolkit.core.errors import ModelError
from toolkit.core.events import Progress
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED, Probe, ProbeSet
from toolkit.data.probing.expectation import Expectation, ExpectedCall
from toolkit.model.language_model import Answer

SYSTEM = "You are a helpful assistant."
TOOLS = json.dumps([{"type": "function", "function": {"name": "look"}}])
LOOK = Expectation(call=(ExpectedCall(name="look", arguments='{"at": "door"}'),))
PROBES = (
    Probe(id="calls", group=TRAINED, prompt="Look!", expect=LOOK, tools=TOOLS),
    Probe(id="says", group=OUT_OF_SCOPE, prompt="Who are you?"),
)
LLAMA3 = {"Look!": '{"name": "look", "parameters": {"at": "door"}}', "Who are you?": '{"name": "I"}'}


class CallingModel:
    """Answers by question; `own_call` is what its chat template writes."""

    def __init__(self, own_call: str | None) -> None:
        self.own_call = own_call

    def answers(self, prompts, **_):
        return [Answer(text=LLAMA3[one[-1]["content"]], tokens=[], margins=[], first_logits=None) for one in prompts]


def probe_set(probes) -> ProbeSet:
    return ProbeSet(path=Path("probes.yaml"), probes=probes, new_markers=(), old_markers=(), thresholds={})


def asked(own_call: str | None, probes=PROBES) -> list[str]:
    file = probe_set(probes)
    questions = Questions(probes=file, systems=(SYSTEM,), full_count=1, max_new_tokens=8)
    found = Answered(questions, lambda _: None, {})._answers(CallingModel(own_call), SimpleNamespace(system=None), "")
    return [one.text for one in found]


def test_a_call_as_the_models_template_writes_it_is_judged_as_a_call():
    call, text = asked('{"name": "a_call", "parameters": {"the_argument": 1}}')

    file = probe_set(PROBES)
    assert judge(PROBES[0], SYSTEM, "No.", call, file, drift=None, before_again=None).passed
    assert text == LLAMA3["Who are you?"]


def test_the_same_text_is_no_call_of_a_model_that_writes_marks():
    call, _ = asked('<tool_call>\n{"name": "a_call", "arguments": {"the_argument": 1}}\n</tool_call>')

    assert call == LLAMA3["Look!"]


def test_a_form_that_nothing_reads_is_refused_with_what_it_looks_like():
    with pytest.raises(ModelError, match=r"writes a tool call in a form that nothing here reads: 'call:a_call'"):
        asked("call:a_call")


def test_without_tools_no_form_is_looked_for():
    assert asked("call:a_call", PROBES[1:]) == [LLAMA3["Who are you?"]]


class TellingModel(CallingModel):
    """Says each answer to its listener, as a model does after each batch."""

    def answers(self, prompts, *, listener, task, **_):
        found = super().answers(prompts)
        for at, one in enumerate(found):
            listener(Progress(task=task, done=at + 1, texts={at: one.text}))
        return found


def test_an_answer_is_judged_as_it_comes_in_unless_it_needs_a_child_process_or_a_call():
    probes = (
        replace(PROBES[1], id="in", group=TRAINED, expect=Expectation(any=("name",))),
        replace(PROBES[1], id="pattern", group=TRAINED, expect=Expectation(regex="name")),
        PROBES[1],
        PROBES[0],
    )
    questions = Questions(probes=probe_set(probes), systems=(SYSTEM,), full_count=1, max_new_tokens=8)
    told: list[dict] = []
    answered, side = Answered(questions, lambda event: told.extend(event.items), {}), SimpleNamespace(system=None)
    model = TellingModel('{"name": "a_call", "parameters": {"the_argument": 1}}')
    before = [Answer(text="Qwen.", tokens=[], margins=[], first_logits=None)] * len(probes)

    answered._answers(model, side, "Before")
    assert all("mark" not in one for one in told)
    told.clear()
    answered._answers(model, side, "After", before)

    marks = {probes[one["number"]].id: one.get("mark") for one in told}
    assert marks == {"in": "passed", "pattern": None, "says": "moved", "calls": None}
