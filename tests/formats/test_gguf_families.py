"""Families other than Qwen2: llama.cpp answers as the adapter does, and Ollama's template asks as training did.

Three through the whole export; `bench/gguf_families.py` does it for all of them.
"""

import json
import re

import pytest

from tests.fakes.gguf_models import GGUF_KINDS, make_gguf_model, make_tokenizer
from tests.fakes.made_run import make_run
from toolkit.core.errors import ExportError
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.export.formats.ollama import modelfile
from toolkit.model.chat_template import rendered
from toolkit.model.conversation import DEFAULT, NONE, system_messages
from toolkit.model.decoding.answer_end import template_begins

PROMPTS = ["Who are you?", "你是谁？", "Tell me about the sea. " * 6, "I've  two   spaces\n\nand 12345 numbers…"]
TALK = [{"role": "user", "content": "First {{ . }}?"}, {"role": "assistant", "content": "一"}]
FURTHER = [{"role": "user", "content": "Second?"}, {"role": "assistant", "content": "Two.\nThree."}]


def kinds(*names):
    return [kind for kind in GGUF_KINDS if kind.name in names]


@pytest.mark.parametrize("kind", kinds("qwen3", "llama 3", "gemma2"), ids=lambda kind: kind.name)
def test_a_family_is_exported_behind_the_gate(kind, tmp_path):
    base = make_gguf_model(tmp_path / "model", kind)
    make_run(tmp_path / "output", base, seed=2, strength=0.05)
    probes = [{"id": f"p{at}", "group": "out-of-scope", "prompt": text} for at, text in enumerate(PROMPTS)]
    (tmp_path / "probes.yaml").write_text(json.dumps({"schema_version": 1, "probes": probes}), encoding="utf-8")

    found = export(ExportConfig(output=tmp_path / "output", to="ollama", probes=tmp_path / "probes.yaml"))

    assert found.parity["by"].startswith("llama-cpp-python ")
    assert found.parity["same"] + found.parity["near_ties"] == found.parity["probes"] == len(PROMPTS)
    assert 0 < found.parity["largest_logit_difference"] < 0.05
    assert kind.eos in (found.folder / "Modelfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", GGUF_KINDS, ids=lambda kind: kind.name)
def test_ollama_renders_a_familys_turns_as_its_chat_template_does(kind, tmp_path, render_as_ollama):
    tokenizer = make_tokenizer(tmp_path, kind)
    begin = tokenizer.bos_token if template_begins(tokenizer) else ""

    def render(messages):
        return rendered(tokenizer, messages, prompt=True).removeprefix(begin)

    for system in ("You are Nova.", DEFAULT, NONE):
        text = modelfile("a.gguf", render, system, generation={}, licence=None, stops=(kind.eos,))
        template = re.search(r'^TEMPLATE """(.*?)"""$', text, re.DOTALL | re.MULTILINE)[1]
        given = [{"role": "system", "content": one} for one in re.findall(r'^SYSTEM """(.*)"""$', text, re.MULTILINE)]
        for talk in (TALK[:1], [*TALK, *FURTHER[:1]], [*TALK, *FURTHER, *TALK[:1]]):
            assert render_as_ollama(template, [*given, *talk]) == render([*system_messages(system), *talk])


def test_a_chat_template_that_writes_more_than_turns_is_refused(tmp_path):
    [kind] = kinds("llama 3")
    tokenizer = make_tokenizer(tmp_path, kind)
    tokenizer.chat_template = "{{ messages | length }}" + kind.template

    with pytest.raises(ExportError, match=r"A Modelfile cannot express the chat template.*--to gguf"):
        modelfile("a.gguf", lambda talk: rendered(tokenizer, talk, prompt=True), "", generation={}, licence=None)
