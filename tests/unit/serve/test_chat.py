"""A conversation and its commands, with a fake model."""

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.fakes.run_record import run_of
from toolkit.cli.serving import chat as chat_cli
from toolkit.compare.sides import Side
from toolkit.core.errors import DataError
from toolkit.serve.chat import Conversation


class FakeModel:
    """Answers with the name of its side; records what it was asked."""

    thinks = False

    def __init__(self, *, interrupted_after: int | None = None):
        self.on = None
        self.asked: list[list[dict[str, str]]] = []
        self.closed = False
        self.interrupted_after = interrupted_after

    @contextmanager
    def side(self, adapter):
        self.on = adapter and "tuned"
        yield

    def stream(self, messages, *, max_new_tokens):
        self.asked.append([dict(message) for message in messages])
        try:
            for at, piece in enumerate([f"{self.on or 'base'} ", "says ", "你好"]):
                if at == self.interrupted_after:
                    raise KeyboardInterrupt
                yield piece
        finally:
            self.closed = True


def talk(model: FakeModel | None = None, **settings) -> Conversation:
    return Conversation(**{"model": model or FakeModel(), "adapter": "tuned", "system": "Be brief.", **settings})


def answer(conversation: Conversation, question: str) -> str:
    return "".join(conversation.ask(question))


def test_an_answer_comes_in_parts():
    assert list(talk().ask("Hello")) == ["tuned ", "says ", "你好"]


def test_earlier_turns_are_sent_again():
    conversation = talk()

    answer(conversation, "one")
    answer(conversation, "two")

    assert conversation.model.asked[1] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "tuned says 你好"},
        {"role": "user", "content": "two"},
    ]


def test_without_a_system_prompt_no_system_message_is_sent():
    conversation = talk(system="")

    answer(conversation, "one")

    assert conversation.model.asked[0] == [{"role": "user", "content": "one"}]


def test_the_adapter_can_be_switched_in_mid_conversation():
    conversation = talk()

    assert answer(conversation, "a").startswith("tuned")
    assert conversation.switch(adapter_on=False)
    assert answer(conversation, "b").startswith("base")
    assert conversation.switch(adapter_on=True)
    assert answer(conversation, "c").startswith("tuned")
    assert len(conversation.history) == 6


def test_a_base_model_has_no_adapter_to_switch():
    conversation = talk(adapter=None)

    assert not conversation.switch(adapter_on=False)
    assert answer(conversation, "a").startswith("base")


def test_forgetting_starts_a_new_conversation():
    conversation = talk()
    answer(conversation, "a")

    conversation.forget()
    answer(conversation, "b")

    assert [message["content"] for message in conversation.model.asked[1]] == ["Be brief.", "b"]


def test_an_answer_that_is_cut_short_stays_in_the_history():
    conversation = talk()
    parts = conversation.ask("a")

    assert [next(parts), next(parts)] == ["tuned ", "says "]
    parts.close()

    assert conversation.model.closed
    assert conversation.history[-1] == {"role": "assistant", "content": "tuned says"}


def test_an_answer_that_an_interrupt_cuts_short_stays_in_the_history():
    conversation = talk(FakeModel(interrupted_after=1))

    with pytest.raises(KeyboardInterrupt):
        answer(conversation, "a")

    assert conversation.history[-1] == {"role": "assistant", "content": "tuned"}


@pytest.fixture(name="piped")
def _piped(monkeypatch):
    """The command, with fakes for everything that it calls."""
    model = FakeModel()
    micro = SimpleNamespace(name="micro", title="micro", path="micro", in_4bit=False)
    side = Side(kind="run", name="v0", adapter=Path("folder"), model=micro, run=run_of(system="As trained."))
    base = Side(kind="base", name="micro", model=micro)
    monkeypatch.setattr(chat_cli, "load_model", lambda folder, adapters: model)
    monkeypatch.setattr(chat_cli, "find_run", lambda run, output: run)
    monkeypatch.setattr(chat_cli, "run_side", lambda run, model: side)
    monkeypatch.setattr(chat_cli, "find_side", lambda text, output, beside, model: base)

    def piped(lines: str | bytes, *arguments: str):
        result = CliRunner().invoke(chat_cli.command, arguments, input=lines, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return model, result

    return piped


def test_from_a_pipe_only_answers_go_to_stdout(piped):
    _, result = piped("one\n\n/before\ntwo\n/after\nthree\n")

    assert result.stdout == "tuned says 你好\nbase says 你好\ntuned says 你好\n"
    assert result.stderr == "The adapter is off.\nThe adapter is on.\n"


def test_the_runs_own_system_prompt_is_the_default(piped):
    model, _ = piped("one\n")

    assert model.asked[0][0] == {"role": "system", "content": "As trained."}


def test_the_system_prompt_can_be_set_changed_and_dropped(piped):
    model, result = piped("one\n/system Be a poet.\ntwo\n/system\nthree\n", "--system", "Be brief.")

    assert [messages[0]["content"] for messages in model.asked] == ["Be brief.", "Be a poet.", "one"]
    assert result.stderr == "System prompt: Be a poet.\nSystem prompt: the model's own default\n"


def test_forget_quit_and_help(piped):
    model, result = piped("one\n/forget\ntwo\n/help\n/nonsense\n/quit\nnever\n")

    assert [len(messages) for messages in model.asked] == [2, 2]
    assert "Forgotten." in result.stderr
    assert "Unknown command: /nonsense\n" in result.stderr
    assert result.stderr.count("/before") == 2


def test_with_the_base_model_there_is_no_adapter_to_switch(piped):
    model, result = piped("/before\none\n", "--base")

    assert result.stdout == "base says 你好\n"
    assert "There is no adapter to switch" in result.stderr
    assert model.asked[0][0]["content"] == "You are a helpful assistant."


def test_bytes_that_are_not_utf_8_do_not_end_the_conversation(piped):
    model, result = piped("你好\n".encode("gbk") + b"two\n")

    assert result.stdout.count("\n") == 2
    assert model.asked[1][-1]["content"] == "two"
    assert all(sign < "\udc00" or sign > "\udfff" for sign in model.asked[0][-1]["content"])  # no lone surrogates


def test_a_run_and_the_base_cannot_both_be_named():
    result = CliRunner().invoke(chat_cli.command, ["v0", "--base"])

    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_ctrl_c_at_a_pipe_ends_the_chat(monkeypatch):
    conversation = talk(FakeModel(interrupted_after=1))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))

    with pytest.raises(KeyboardInterrupt):
        chat_cli._answer(conversation, "one")


def test_ctrl_c_at_a_terminal_ends_only_the_answer(monkeypatch, capsys):
    conversation = talk(FakeModel(interrupted_after=1))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))

    chat_cli._answer(conversation, "one")

    assert capsys.readouterr().out == "tuned \n"
    assert conversation.history[-1]["content"] == "tuned"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class FullModel(FakeModel):
    """Has no room for a question with "long" in it."""

    def stream(self, messages, *, max_new_tokens):
        if "long" in messages[-1]["content"]:
            raise DataError("The conversation has 99 tokens.", next="Ask a shorter question.")
        yield from super().stream(messages, max_new_tokens=max_new_tokens)


def test_a_question_without_room_is_not_part_of_the_conversation():
    conversation = Conversation(model=FullModel(), adapter="tuned", system="")

    with pytest.raises(DataError, match="99 tokens"):
        list(conversation.ask("a long question"))
    assert conversation.history == []
    assert list(conversation.ask("a short one"))
    assert [message["content"] for message in conversation.history] == ["a short one", "tuned says 你好"]


def test_at_a_terminal_such_a_question_does_not_end_the_chat(monkeypatch, capsys):
    conversation = Conversation(model=FullModel(), adapter="tuned", system="")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))

    chat_cli._answer(conversation, "a long question")
    chat_cli._answer(conversation, "a short one")

    shown = capsys.readouterr()
    assert "99 tokens. Ask a shorter question." in shown.err
    assert shown.out == "tuned says 你好\n"


def test_from_a_pipe_such_a_question_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))

    with pytest.raises(DataError, match="99 tokens"):
        chat_cli._answer(Conversation(model=FullModel(), adapter=None, system=""), "a long question")
