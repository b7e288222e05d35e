"""Ollama's Modelfile: written only where its template renders as training's chat template does."""

import pytest

from toolkit.core.errors import ExportError
from toolkit.export.formats.ollama import default_preamble, modelfile
from toolkit.export.formats.ollama_tools import chatml
from toolkit.model.conversation import DEFAULT, NONE

DEFAULT_PREAMBLE = "<|im_start|>system\nYou are Qwen.<|im_end|>\n"


def qwen(messages):
    """As Qwen2.5's chat template renders."""
    return ("" if messages[0]["role"] == "system" else DEFAULT_PREAMBLE) + chatml(messages)


def written(system="You are Nova.", render=qwen, generation=None, licence=None):
    return modelfile("a.gguf", render, system, generation=generation or {}, licence=licence)


def test_it_names_the_weights_beside_it_and_the_trainings_prompt():
    text = written()

    assert text.startswith("FROM ./a.gguf\n")
    assert 'SYSTEM """You are Nova."""' in text
    assert f'(ne $message.Role "system") }}}}{DEFAULT_PREAMBLE}{{{{ end }}}}' in text
    assert 'PARAMETER stop "<|im_end|>"' in text


def test_a_run_under_the_models_own_default_leaves_it_to_the_template():
    assert "SYSTEM" not in written(DEFAULT)
    assert DEFAULT_PREAMBLE in written(DEFAULT)


def test_a_run_under_an_empty_prompt_gets_an_empty_one():
    text = written(NONE)

    assert "SYSTEM" not in text
    assert '"system") }}<|im_start|>system\n<|im_end|>\n{{ end }}' in text
    assert "You are Qwen" not in text


def test_the_base_models_sampling_is_kept():
    text = written(generation={"temperature": 0.7, "top_k": 20, "repetition_penalty": 1.05, "do_sample": True})

    assert "PARAMETER temperature 0.7\nPARAMETER top_k 20\nPARAMETER repeat_penalty 1.05\n" in text


def test_the_licence_is_kept():
    assert written(licence="Do as you\nplease.").endswith('LICENSE """Do as you\nplease."""\n')


@pytest.mark.parametrize(
    ("system", "fault"), [('say """hello"""', "three quotes"), ("wide\u3000space", r"\\u3000"), ("cut\roff", r"\\r")]
)
def test_a_system_prompt_that_a_modelfile_cannot_express_is_refused(system, fault):
    with pytest.raises(ExportError, match=f"The system prompt contains .*{fault}"):
        written(system)


def test_braces_of_the_template_language_come_out_as_they_are():
    def render(messages):
        return ("" if messages[0]["role"] == "system" else "<|im_start|>system\n{{ x }}<|im_end|>\n") + chatml(messages)

    assert '\n{{ "{{" }} x }}<|im_end|>' in written(render=render)


@pytest.mark.parametrize(
    "render",
    [
        lambda messages: qwen(messages).replace("assistant", "model"),
        lambda messages: qwen([{**message, "content": message["content"].strip()} for message in messages]),
        lambda messages: DEFAULT_PREAMBLE + chatml(messages),
        lambda messages: qwen(messages[-2:]),
    ],
    ids=["another name for the assistant", "trims", "a preamble beside a system message", "forgets"],
)
def test_a_chat_template_that_renders_differently_is_not_taken_for_chatml(render):
    assert default_preamble(render, []) is None


def test_of_another_form_the_turns_are_written_and_what_ends_an_answer():
    def render(messages):
        return "".join(f"<|{one['role']}|>{one['content']}<|eot|>" for one in messages) + "<|assistant|>"

    text = modelfile("a.gguf", render, "You are Nova.", generation={}, licence=None, stops=("<|eot|>",))

    assert "<|eot|><|assistant|>" in text
    assert 'SYSTEM """You are Nova."""' in text
    assert [line for line in text.splitlines() if "stop" in line] == ['PARAMETER stop "<|eot|>"']
