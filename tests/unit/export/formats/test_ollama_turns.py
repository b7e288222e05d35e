"""Chat templates of any form of turns as Go templates: found by rendering, and refused where they write more."""

import pytest

from toolkit.core.errors import ExportError, ModelError
from toolkit.export.formats.ollama_turns import template, turns_of

SYSTEM, ASKED, ANSWERED = ({"role": role, "content": role} for role in ("system", "user", "assistant"))


def llama(messages):
    turns = [f"<|{one['role']}|>{one['content']}<|end|>" for one in messages]
    return "".join([*turns, "<|assistant|>"])


def gemma(messages):
    """Without a place for a system message."""
    return llama([one for one in messages if one["role"] != "system"])


def llama2(messages):
    """A system message stands within the first question."""
    instructed = f"<<{messages[0]['content']}>> " if messages[0]["role"] == "system" else ""
    texts = [one["content"] for one in messages if one["role"] != "system"]
    return "".join(
        f"{text} " if at % 2 else f"[INST] {'' if at else instructed}{text} [/INST] " for at, text in enumerate(texts)
    )


def test_the_texts_between_the_messages_are_found():
    turns = turns_of(llama, [])

    assert turns.before == "<|user|>"
    assert turns.to_answer == "<|end|><|assistant|>"
    assert turns.to_question == "<|end|><|user|>"
    assert turns.system == ("<|system|>", "<|end|><|user|>")


def test_a_system_message_within_the_question_is_found():
    assert turns_of(llama2, []).system == ("[INST] <<", ">> ")


def test_a_base_without_system_messages_gets_a_template_that_leaves_them_out():
    turns = turns_of(gemma, [])

    assert turns.system is None
    assert '{{ if eq .Role "system" }}{{ else if eq .Role "user" }}' in template(turns, str)


def test_the_empty_system_message_of_the_training_stands_before_the_first_question():
    assert turns_of(llama, [{"role": "system", "content": ""}]).before == "<|system|><|end|><|user|>"


@pytest.mark.parametrize(
    "render",
    [
        lambda messages: f"{len(messages)}{llama(messages)}",
        lambda messages: llama(messages[-1:]),
        lambda messages: llama(messages) + llama(messages),
        lambda messages: llama2([*messages[-1:], *messages[:-1]]),
    ],
    ids=["counts", "forgets", "repeats", "another order"],
)
def test_a_template_that_writes_more_than_turns_is_refused(render):
    with pytest.raises(ExportError, match=r"cannot express the chat template.*--to gguf"):
        turns_of(render, [])


def test_a_template_that_fails_is_refused_with_its_reason():
    def refuses(_messages):
        raise ModelError("Roles must alternate.", next="Ask otherwise.")

    with pytest.raises(ExportError, match=r"Roles must alternate\. Export --to gguf"):
        turns_of(refuses, [])
