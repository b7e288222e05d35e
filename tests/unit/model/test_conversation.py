"""System prompts: a text, no message, or an empty one; the same in every command."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.fakes.run_record import run_of
from toolkit.cli import cli
from toolkit.compare.answering import Answered
from toolkit.compare.questions import Questions
from toolkit.compare.sides import Side
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.data.probes import OUT_OF_SCOPE, Probe, ProbeSet
from toolkit.export.formats.base import ExportJob
from toolkit.model.base_model import BaseModel
from toolkit.model.conversation import DEFAULT, NO_SYSTEM_HELP, NONE, conversation, system_messages
from toolkit.serve.chat import Conversation
from toolkit.serve.openai import read_request
from toolkit.train.ms_swift.encoder import _messages
from toolkit.train.recipe import load_recipe
from toolkit.train.variants import without_variants

QUESTION = {"role": "user", "content": "Who?"}
PROBES = ProbeSet(
    path=Path("probes.yaml"), probes=(Probe(id="a", group=OUT_OF_SCOPE, prompt="Who?", expect=None),),
    new_markers=(), old_markers=(), thresholds={},
)  # fmt: skip
BASE = BaseModel(name="micro", path=Path("micro"), config={}, weight_bytes=0)


def compare_asks(system: str):
    questions = Questions(probes=PROBES, systems=(system,), full_count=1, max_new_tokens=8)
    answered = Answered(questions, lambda _: None, {})
    return answered._prompts(Side(kind="base", name="micro", model=BASE), [0])[0]  # what a model is asked


class Listening:
    """A model that notes what it is asked."""

    thinks = False

    def __init__(self):
        self.asked = None

    def side(self, _):
        from contextlib import nullcontext

        return nullcontext()

    def stream(self, messages, **_):
        self.asked = list(messages)
        return iter(["Nova"])


def chat_asks(system: str):
    model = Listening()
    list(Conversation(model=model, adapter=None, system=system).ask("Who?"))
    return model.asked


def serve_asks(system: str):
    body = json.dumps({"model": "micro", "messages": [QUESTION]}).encode()
    return read_request(body, names=["micro"], system=system, max_new_tokens=8).messages


def finetune_trains_on(system: str):
    row = Row(number=1, messages=(Message(role="user", content="Who?"), Message(role="assistant", content="Nova")))
    [trained] = without_variants([row], load_recipe("article").changed(system=system))
    return _messages(trained, None)[:-1]


def finetune_measures(system: str):
    row = Row(number=1, messages=(Message(role="user", content="Who?"), Message(role="assistant", content="Nova")))
    return _messages(row, system)[:-1]


def export_asks(system: str):
    run = run_of(system=system)
    side = Side(kind="run", name="v0", model=BASE, run=run)
    return ExportJob(run=run, side=side, probes=PROBES, listener=lambda _: None).conversations[0]


@pytest.mark.parametrize(
    "asks", [compare_asks, chat_asks, serve_asks, finetune_trains_on, finetune_measures, export_asks]
)
@pytest.mark.parametrize(
    ("system", "messages"),
    [
        (DEFAULT, [QUESTION]),
        (NONE, [{"role": "system", "content": ""}, QUESTION]),
        ("Be brief.", [{"role": "system", "content": "Be brief."}, QUESTION]),
    ],
)
def test_a_system_prompt_means_the_same_in_every_command(asks, system, messages):
    assert asks(system) == messages == conversation("Who?", system)


def test_what_a_user_types():
    assert (DEFAULT, NONE) == ("", "(none)")
    assert system_messages("") == []


@pytest.mark.parametrize("command", ["compare", "sweep", "finetune", "chat", "serve", "lab"])
def test_every_command_explains_it_in_the_same_words(command):
    result = CliRunner().invoke(cli, [command, "--help"], terminal_width=1000, max_content_width=1000)

    assert NO_SYSTEM_HELP in " ".join(result.output.split())
