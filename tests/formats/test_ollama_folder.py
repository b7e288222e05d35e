"""A folder for `ollama create`: its Go template, rendered by Go itself, gives the text of training's chat template."""

import json
import re
import shutil

import pytest

from tests.fakes.made_run import make_run
from tests.fakes.tool_rows import QWEN25, with_qwen25_template
from toolkit.core.errors import ExportError
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import ExportConfig
from toolkit.model.conversation import DEFAULT, NONE, conversation, system_messages, tools_messages
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run, write_record

TINY = data_folder() / "tiny-qwen2"
PROBES = "schema_version: 1\nprobes:\n  - {id: p0, group: out-of-scope, prompt: 你是谁？}\n"


@pytest.fixture(params=["its own", "Qwen2.5's"], name="base")
def _base(request, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(TINY, base)
    (base / "LICENSE").write_text("Do as you\n\tplease.\n", encoding="utf-8")
    if request.param != "its own":
        shutil.copyfile(QWEN25, base / "chat_template.jinja")
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


def compact(text: str) -> str:
    """JSON as Go writes it: without spaces, the keys of objects in order."""
    return re.sub(r'(?<=[:,]) (?=["{\[\d])', "", text)


@pytest.mark.parametrize("system", ["You are Nova.", DEFAULT, NONE])
def test_ollama_renders_tools_and_calls_as_training_did_but_for_spaces_in_json(tmp_path, render_as_ollama, system):
    base = with_qwen25_template(TINY, tmp_path / "base")
    instructions = dict(read((exported(base, tmp_path, system) / "Modelfile").read_text(encoding="utf-8")))
    model = LanguageModel.load(base)
    tool = {"function": {"description": "订座", "name": "book_table"}, "type": "function"}
    calls = [{"function": {"name": name, "arguments": {"note": "靠窗", "people": 3}}} for name in ("a", "b")]
    talk = [
        {"role": "user", "content": "你好"}, {"role": "assistant", "content": "", "tool_calls": calls[:1]},
        {"role": "tool", "content": "1"}, {"role": "assistant", "content": "Wait.", "tool_calls": calls},
        {"role": "tool", "content": "2"}, {"role": "tool", "content": "3"},
    ]  # fmt: skip
    own = [{"role": "system", "content": "Be calm."}]
    given = [instructions["SYSTEM"]] if "SYSTEM" in instructions else []
    for tools in ([], [tool], [tool, {"function": {"name": "ring"}, "type": "function"}]):
        listed = tools_messages(json.dumps(tools, ensure_ascii=False)) if tools else []
        for turns in (talk[:1], talk[:2], talk[:3], talk, [*talk, {"role": "assistant", "content": "Done."}, talk[0]]):
            asked = [*({"role": "system", "content": text} for text in given), *turns]
            trained = model.prompt_text([*listed, *system_messages(system), *turns])
            assert compact(render_as_ollama(instructions["TEMPLATE"], asked, tools)) == compact(trained)
            trained = model.prompt_text([*listed, *own, *turns])
            assert compact(render_as_ollama(instructions["TEMPLATE"], [*own, *turns], tools)) == compact(trained)


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


def test_a_chat_template_that_go_cannot_follow_is_refused_and_leaves_nothing(tmp_path):
    base = tmp_path / "base"
    shutil.copytree(TINY, base)
    own = (TINY / "chat_template.jinja").read_text(encoding="utf-8")
    other = own.replace("message.content", "message.content ~ loop.index")
    (base / "chat_template.jinja").write_text(other, encoding="utf-8")

    with pytest.raises(ExportError, match="A Modelfile cannot express"):
        exported(base, tmp_path, "You are a helpful assistant.")
    run = find_run(None, tmp_path / "output").folder
    assert {path.name for path in run.iterdir()} == {"checkpoint-1", "run.json"}
