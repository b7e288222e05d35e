"""A folder for `ollama create`: its Go template, rendered by Go itself, gives the text of training's chat template."""

import json
import re
import shutil

import pytest

from tests.fakes.made_run import make_run
from toolkit.core.errors import ExportError
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.model.conversation import DEFAULT, NONE, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run, write_record

TINY = data_folder() / "tiny-qwen2"
PROBES = "schema_version: 1\nprobes:\n  - {id: p0, group: out-of-scope, prompt: 你是谁？}\n"
# Qwen2.5's chat template without its tools, in its own layout.
QWEN25 = (
    "{%- if messages[0]['role'] == 'system' %}\n    {{- '<|im_start|>system\\n' + messages[0]['content'] + "
    "'<|im_end|>\\n' }}\n{%- else %}\n    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a "
    "helpful assistant.<|im_end|>\\n' }}\n{%- endif %}\n{%- for message in messages %}\n    {%- if (message.role == "
    '"user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}\n        {{- '
    "'<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- endif %}\n"
    "{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n"
)  # fmt: skip


@pytest.fixture(params=["its own", "Qwen2.5's"], name="base")
def _base(request, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(TINY, base)
    (base / "LICENSE").write_text("Do as you\n\tplease.\n", encoding="utf-8")
    if request.param != "its own":
        (base / "chat_template.jinja").write_text(QWEN25, encoding="utf-8")
    return base


def exported(base, tmp_path, system):
    (tmp_path / "probes.yaml").write_text(PROBES, encoding="utf-8")
    folder = make_run(tmp_path / "output", base, seed=2, strength=0.05)
    record = find_run(None, tmp_path / "output").record
    write_record(folder, record.with_fields(recipe=record.recipe.to_dict() | {"system": system}))
    return export(
        ExportConfig(output=tmp_path / "output", to="ollama", quantisation="q8_0", probes=tmp_path / "probes.yaml")
    ).folder


def read(modelfile):
    """Its instructions, as the documentation has them: a word and a text, which three quotes may hold together."""
    found = re.findall(r'^([A-Z]+) (?:"""(.*?)"""|([^\n]*))$', modelfile, re.DOTALL | re.MULTILINE)
    return [(name, quoted or plain) for name, quoted, plain in found]


@pytest.mark.parametrize("system", ['You are {{ Nova }}, "so to say".\n你好。', DEFAULT, NONE])
def test_ollama_asks_as_training_did(base, tmp_path, render_as_ollama, system):
    folder = exported(base, tmp_path, system)

    instructions = read((folder / "Modelfile").read_text(encoding="utf-8"))
    system_texts = [text for name, text in instructions if name == "SYSTEM"]
    model = LanguageModel.load(base)
    template = dict(instructions)["TEMPLATE"]
    turns = [[], [{"role": "assistant", "content": "是的。\n"}, {"role": "user", "content": " {{ . }} "}]]
    for further in turns:
        trained = [*conversation("你是谁？", system), *further]
        asked = [{"role": "user", "content": "你是谁？"}, *further]
        # Ollama puts SYSTEM before a conversation that has none of its own.
        asked = [{"role": "system", "content": system_texts[0]}, *asked] if system_texts else asked
        assert render_as_ollama(template, asked) == model.prompt_text(trained)
    own = [{"role": "system", "content": "You are a guide."}, {"role": "user", "content": "a"}]
    assert render_as_ollama(template, own) == model.prompt_text(own)
    assert render_as_ollama(template, []) == "<|im_start|>assistant\n"


def test_the_folder_can_be_moved(base, tmp_path):
    folder = exported(base, tmp_path, "You are a helpful assistant.")

    instructions = read((folder / "Modelfile").read_text(encoding="utf-8"))
    assert (folder / dict(instructions)["FROM"]).is_file()
    assert dict(instructions)["FROM"].startswith("./")
    assert str(tmp_path) not in (folder / "Modelfile").read_text(encoding="utf-8")
    assert dict(instructions)["LICENSE"] == "Do as you\n\tplease.\n"
    assert [text for name, text in instructions if name == "PARAMETER"][:3] == [
        'stop "<|im_start|>"', 'stop "<|im_end|>"', 'stop "<|endoftext|>"',
    ]  # fmt: skip
    manifest = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["parity"]["checked"]) == ("ollama", True)


def test_a_chat_template_other_than_chatml_is_refused_and_leaves_nothing(tmp_path):
    base = tmp_path / "base"
    shutil.copytree(TINY, base)
    other = (
        (TINY / "chat_template.jinja").read_text(encoding="utf-8").replace("message.content", "message.content | trim")
    )
    (base / "chat_template.jinja").write_text(other, encoding="utf-8")

    with pytest.raises(ExportError, match="not ChatML"):
        exported(base, tmp_path, "You are a helpful assistant.")
    run = find_run(None, tmp_path / "output").folder
    assert {path.name for path in run.iterdir()} == {"checkpoint-1", "run.json"}
