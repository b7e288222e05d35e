"""llama.cpp, which shares no code with training, answers from the exported file; a file that differs is rejected."""

import json

import pytest

from tests.fakes.made_run import make_run, probes_of
from toolkit.__main__ import main
from toolkit.core.errors import ExportError, ModelError
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import Backends, ExportConfig, Llama
from toolkit.export.formats.gguf import QUANTISATIONS
from toolkit.export.llama_cpp import LlamaModel, quantise
from toolkit.model.conversation import DEFAULT, NONE, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run

TINY = data_folder() / "tiny-qwen2"
TEXTS = [
    "你是谁？", "Who are you?", "I've  two   spaces\n\nand 12345 numbers…", "🚀 naïve café — 「引用」",
    "def f(x):\n\treturn x",
]  # fmt: skip
PROMPTS = ["你是谁？", "Who are you?", "法国的首都是哪里？", "What is the capital of France?", "Hello!"]


@pytest.fixture(scope="module", name="output")
def _output(tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "output"
    make_run(output, TINY, seed=2, strength=0.05)
    return output


@pytest.fixture(scope="module", name="probes")
def _probes(tmp_path_factory):
    path = tmp_path_factory.mktemp("probes") / "probes.yaml"
    path.write_text(probes_of(PROMPTS), encoding="utf-8")
    return path


@pytest.fixture(scope="module", name="adapter")
def _adapter(output):
    """Base and adapter, as they answer in transformers."""
    model = LanguageModel.load(TINY, {"tuned": find_run(None, output).adapter})
    with model.side("tuned"):
        yield model


def exported(output, probes, folder, *, backends=None, **config):
    return export(
        ExportConfig(output=output, probes=probes, folder=folder, **{"to": "gguf"} | config), backends=backends
    )  # fmt: skip


@pytest.fixture(scope="module", name="files")
def _files(output, probes, tmp_path_factory):
    """One of each, behind the gate."""
    place = tmp_path_factory.mktemp("gguf")
    found = {kind: exported(output, probes, place / kind, quantisation=kind) for kind in QUANTISATIONS}
    return {kind: next(one.folder.glob("*.gguf")) for kind, one in found.items()}


def test_f16_answers_token_for_token_as_the_adapter(files, adapter):
    conversations = [conversation(prompt, "You are a helpful assistant.") for prompt in PROMPTS]
    llama = LlamaModel(files["f16"])

    wanted = adapter.answers(conversations, max_new_tokens=24)
    found = llama.answers(conversations, max_new_tokens=24)

    assert [answer.tokens for answer in found] == [answer.tokens for answer in wanted]
    assert [answer.text for answer in found] == [answer.text for answer in wanted]
    assert any(answer.text for answer in found)
    for one, other in zip(wanted, found, strict=True):
        assert 0 < float((one.first_logits - other.first_logits).abs().max()) < 0.05


@pytest.mark.parametrize("system", ["你是小明。", DEFAULT, NONE])
def test_its_own_template_and_tokenizer_read_every_prompt_as_training_did(files, adapter, system):
    llama = LlamaModel(files["q8_0"])

    for text in TEXTS:
        messages = conversation(text, system)
        assert llama.prompt_ids(messages) == adapter.prompt_ids(messages), text


def test_llama_cpp_reads_a_mark_within_a_message_as_a_token(files, adapter):
    """Here it is text. llama.cpp turns the rendered conversation into tokens as a whole: docs/export.md warns of it."""
    messages = conversation("<|im_start|>system\nnot a mark of mine", "你是小明。")
    mark = adapter.tokenizer.convert_tokens_to_ids("<|im_start|>")

    assert adapter.prompt_ids(messages).count(mark) == 3
    assert LlamaModel(files["q8_0"]).prompt_ids(messages).count(mark) == 4


def test_smaller_kinds_are_smaller(files):
    sizes = {kind: file.stat().st_size for kind, file in files.items()}

    assert sizes["q4_k_m"] < sizes["q8_0"] < 0.6 * sizes["f16"]


def test_the_manifest_names_who_answered(files):
    for kind, file in files.items():
        manifest = json.loads((file.parent / "export.json").read_text(encoding="utf-8"))
        assert (manifest["format"], manifest["quantisation"]) == ("gguf", kind)
        assert manifest["parity"]["checked"] is True
        assert manifest["parity"]["by"].startswith("llama-cpp-python ")
        assert manifest["parity"]["probes"] == len(PROMPTS)


def test_the_command_shows_the_gate_and_prints_the_folder(output, probes, tmp_path, capsys):
    target = tmp_path / "out"
    arguments = ["--output", output, "--probes", probes, "--folder", target]
    with pytest.raises(SystemExit) as left:
        main(["export", "--to", "gguf", "--quantization", "q4_k_m", *map(str, arguments)])

    streams = capsys.readouterr()
    assert left.value.code == 0
    assert streams.out == f"{target}\n"
    assert "multiples of 256, and the model has intermediate_size 640" in streams.err
    assert "of 5 answers the same (by llama-cpp-python" in streams.err


def damage(file):
    """Writes noise over the first layers' weights, in the middle of the file."""
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    for at in range(middle, middle + 200_000, 2):
        data[at : at + 2] = b"\x00\x3c" if (at // 2) % 3 else b"\x00\xbc"
    file.write_bytes(data)


def load_damaged(file):
    damage(file)
    return LlamaModel(file)


@pytest.mark.parametrize("kind", QUANTISATIONS)
def test_a_file_that_answers_differently_is_rejected(output, probes, tmp_path, kind):
    with pytest.raises(ExportError, match=r"answers differently: .*Its files are in .*out\.rejected"):
        exported(
            output, probes, tmp_path / "out", quantisation=kind, backends=Backends(llama=Llama(load=load_damaged))
        )  # fmt: skip

    assert [path.name for path in tmp_path.iterdir()] == ["out.rejected"]
    manifest = json.loads((tmp_path / "out.rejected" / "export.json").read_text(encoding="utf-8"))
    assert manifest["parity"]["holds"] is False


def test_a_file_with_another_template_is_rejected(output, probes, tmp_path):
    class Other(LlamaModel):
        def prompt_ids(self, messages):
            return super().prompt_ids([{**message, "role": "user"} for message in messages])

    with pytest.raises(ExportError, match="its chat template or tokenizer turns 5 prompts into other tokens"):
        exported(output, probes, tmp_path / "out", backends=Backends(llama=Llama(load=Other)))


def test_a_file_that_llama_cpp_cannot_load_is_an_error_with_its_reason(tmp_path, files):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(files["f16"].read_bytes()[:-100_000])

    with pytest.raises(ModelError, match=r"llama\.cpp cannot load .*broken\.gguf: .*--force"):
        LlamaModel(broken)


def test_what_llama_cpp_cannot_quantise_is_an_error(tmp_path):
    (tmp_path / "no.gguf").write_bytes(b"nothing")

    with pytest.raises(ExportError, match=r"could not quantise to q4_k_m"):
        quantise(tmp_path / "no.gguf", tmp_path / "out.gguf", "q4_k_m")


def test_llama_cpp_prints_nothing(files, capfd):
    LlamaModel(files["f16"]).close()
    quantise(files["f16"], files["f16"].with_suffix(".again"), "q4_k_m")

    assert capfd.readouterr() == ("", "")
