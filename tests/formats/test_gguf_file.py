"""The file as the gguf library reads it back, what is refused, and an export whose gate cannot run."""

import json
import re
import shutil

import pytest

from tests.fakes.made_run import make_run
from tests.fakes.odd_adapters import MODULES, ODD, change_adapter, make_run_with_own
from toolkit.__main__ import main
from toolkit.core.errors import ConfigError, ExportError, ModelError
from toolkit.core.files import data_folder
from toolkit.export import llama_converter
from toolkit.export.export import export
from toolkit.export.formats.base import Backends, ExportConfig, Llama
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run

TINY = data_folder() / "tiny-qwen2"
WITHOUT_LLAMA = Backends(llama=Llama(version=lambda: None))


@pytest.fixture(name="output")
def _output(tmp_path):
    make_run(tmp_path / "output", TINY, seed=2, strength=0.3)
    return tmp_path / "output"


def exported(output, *, backends=WITHOUT_LLAMA, **config):
    return export(ExportConfig(output=output, **{"to": "gguf", "unchecked": True} | config), backends=backends)


def merged_weights(output):
    model = LanguageModel.load(TINY, {"tuned": find_run(None, output).adapter})
    model.merge("tuned", dtype="float32")
    return {name: tensor.numpy() for name, tensor in model.tensors().items()}


def gguf_name(name):
    """The names that llama.cpp looks for, written down independently."""
    layer = re.fullmatch(r"model\.layers\.(\d+)\.(?:self_attn|mlp)?\.?(.+)\.(weight|bias)", name)
    parts = {
        "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate",
        "up_proj": "ffn_up", "down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    if layer:
        return f"blk.{layer[1]}.{parts[layer[2]]}.{layer[3]}"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]


@pytest.mark.parametrize(("kind", "bound"), [("f16", 2**-10), ("q8_0", 2**-6)])
def test_the_file_holds_the_merged_weights_and_nothing_else(output, kind, bound):
    import numpy as np

    gguf = llama_converter.conversion().base.gguf

    folder = exported(output, quantisation=kind).folder

    (file,) = folder.glob("*.gguf")
    stored = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in gguf.GGUFReader(file).tensors}
    wanted = merged_weights(output)
    assert "lm_head.weight" in wanted  # tied to the embedding, and not written twice
    del wanted["lm_head.weight"]
    assert {gguf_name(name) for name in wanted} == set(stored)
    for name, weights in wanted.items():
        error = np.abs(stored[gguf_name(name)] - weights).max()
        assert error <= bound * np.abs(weights).max() * (0 if weights.ndim == 1 else 1), name
    assert any(np.abs(stored[gguf_name(name)] - weights).max() > 0 for name, weights in wanted.items())


def test_the_file_describes_itself(output):
    folder = exported(output).folder

    (file,) = folder.glob("*.gguf")
    reader = llama_converter.conversion().base.gguf.GGUFReader(file)
    fields = {name: reader.fields[name].contents() for name in reader.fields}
    config = json.loads((TINY / "config.json").read_text(encoding="utf-8"))
    assert fields["general.architecture"] == "qwen2"
    assert fields["general.finetune"] == find_run(None, output).run_id
    assert fields["qwen2.block_count"] == config["num_hidden_layers"]
    assert fields["qwen2.attention.head_count_kv"] == config["num_key_value_heads"]
    assert fields["qwen2.rope.freq_base"] == config["rope_parameters"]["rope_theta"]
    assert fields["tokenizer.chat_template"] == (TINY / "chat_template.jinja").read_text(encoding="utf-8")
    assert fields["tokenizer.ggml.pre"] == "qwen2"
    assert fields["tokenizer.ggml.eos_token_id"] == 2
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert len(fields["tokenizer.ggml.tokens"]) == config["vocab_size"]


def test_without_llama_cpp_an_export_is_refused_and_nothing_is_written(output):
    with pytest.raises(ConfigError, match=r"is not installed.*--unchecked"):
        exported(output, unchecked=False)
    assert {path.name for path in find_run(None, output).folder.iterdir()} == {"checkpoint-1", "run.json"}


def test_unchecked_is_recorded_and_not_taken_for_checked(output):
    found = exported(output)

    manifest = json.loads((found.folder / "export.json").read_text(encoding="utf-8"))
    assert manifest["parity"] == {"checked": False, "holds": None}
    assert manifest["quantisation"] == "f16"
    assert not exported(output).fresh
    with pytest.raises(ConfigError, match=r"was exported with --unchecked.*--force"):
        exported(output, unchecked=False)


def test_a_truncated_file_is_not_taken_for_complete(output):
    (file,) = exported(output).folder.glob("*.gguf")
    file.write_bytes(file.read_bytes()[:-1000])

    with pytest.raises(ExportError, match=r"damaged: .*\.gguf has \d+ of \d+ bytes.*--force"):
        exported(output)
    assert exported(output, force=True).fresh


def test_numbers_that_f16_cannot_represent_are_an_error(output):
    def load(folder, adapters):
        model = LanguageModel.load(folder, adapters)
        model.model.get_input_embeddings().weight.data[5, 5] = 1e6
        return model

    with pytest.raises(ExportError, match=r"model\.embed_tokens\.weight contains numbers that f16 cannot"):
        exported(output, backends=Backends(load=load, llama=WITHOUT_LLAMA.llama))
    assert {path.name for path in find_run(None, output).folder.iterdir()} == {"checkpoint-1", "run.json"}


def test_a_tokenizer_that_splits_texts_in_a_way_of_its_own_is_refused_before_anything_is_written(output, tmp_path):
    shutil.copytree(TINY, tmp_path / "base")
    path = tmp_path / "base" / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+"
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    make_run(tmp_path / "own", tmp_path / "base", seed=2)

    with pytest.raises(ExportError, match=r"llama\.cpp does not know the tokenizer in .*base"):
        exported(tmp_path / "own")
    assert {path.name for path in find_run(None, tmp_path / "own").folder.iterdir()} == {"checkpoint-1", "run.json"}


def test_an_architecture_that_llama_cpp_lacks_is_refused_by_its_name(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["MinistralForCausalLM"]}', encoding="utf-8")

    with pytest.raises(ExportError, match=r"llama\.cpp knows no MinistralForCausalLM"):
        llama_converter.require_convertible(tmp_path, "f16")


def test_without_the_converter_the_way_to_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(llama_converter, "FOLDER", tmp_path)
    llama_converter.conversion.cache_clear()

    with pytest.raises(ConfigError, match=r"converter.*is not installed.*make setup-formats"):
        llama_converter.conversion()


def test_the_command_refuses_what_merged_does_not_take(output, capsys):
    with pytest.raises(SystemExit) as left:
        main(["export", "--quantization", "q8_0", "--output", str(output)])

    assert left.value.code == 3
    assert "--quantization q8_0: --to merged does not accept this option" in capsys.readouterr().err


@pytest.mark.parametrize("oddity", ODD)
def test_an_adapter_that_would_be_applied_in_part_is_refused(oddity, tmp_path):
    run = make_run(tmp_path / "output", TINY)
    change_adapter(run, ODD[oddity])

    with pytest.raises(ModelError, match="adapter in"):
        exported(tmp_path / "output")


@pytest.mark.parametrize("module", MODULES)
def test_a_file_has_a_head_of_its_own_where_the_adapter_changed_one_of_two(module, tmp_path):
    from gguf import GGUFReader

    run = make_run_with_own(module, tmp_path / "output", TINY)

    exported(tmp_path / "output")

    [file] = (run / "gguf-f16").glob("*.gguf")
    tensors = {tensor.name: tensor.data for tensor in GGUFReader(file).tensors}
    assert (tensors["output.weight"] != tensors["token_embd.weight"]).any()
