"""Formats: which options they accept, what they refuse before anything is written, what the terminal prints."""

import json
from pathlib import Path

import pytest

from toolkit.cli.export import summary_lines
from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError, ExportError
from toolkit.export.formats import FORMATS, format_for
from toolkit.export.formats.base import Backends, ExportConfig, Llama
from toolkit.export.formats.gguf import Gguf, file_name
from toolkit.export.gguf_file import QWEN2_SPLIT, Origin, _describe, read_vocabulary, require_writable
from toolkit.model.base_model import BaseModel

CONFIG = {
    "hidden_size": 256, "intermediate_size": 512, "vocab_size": 6, "num_hidden_layers": 1, "dtype": "bfloat16",
    "eos_token_id": 4,
}  # fmt: skip
TOKENIZER = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]},
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Split", "pattern": {"Regex": QWEN2_SPLIT}}, {"type": "ByteLevel"}],
    },
    "added_tokens": [
        {"id": 3, "content": "<|endoftext|>", "special": True},
        {"id": 4, "content": "<tool>", "special": False},
    ],
}


@pytest.fixture(name="folder")
def _folder(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<|endoftext|>", "pad_token": {"content": "<|endoftext|>"}, "chat_template": "old"}),
        encoding="utf-8",
    )
    return tmp_path


def side(folder: Path, **config: object) -> Side:
    base = BaseModel(name="My model (v2)", path=folder, config=CONFIG | config, weight_bytes=2_000_000)
    return Side(kind="run", name="v3-20260101-000000", model=base)


def backends(version: str | None) -> Backends:
    return Backends(llama=Llama(version=lambda: version))


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"to": "merged", "quantisation": "q8_0"}, "--quantisation q8_0: --to merged does not accept this option"),
        ({"to": "gguf", "quantisation": "nf4"}, "--quantisation nf4: --to gguf accepts f16, q8_0, q4_k_m"),
        ({"to": "bnb", "unchecked": True}, "--to bnb does not accept --unchecked"),
    ],
)
def test_an_option_that_a_format_does_not_have_is_refused(config, fault):
    with pytest.raises(ConfigError, match=fault):
        format_for(ExportConfig(**config))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_name_of_its_option(name):
    assert format_for(ExportConfig(to=name)).name == name


def test_each_quantisation_has_its_own_folder():
    folders = {format_for(ExportConfig(to="gguf", quantisation=kind)).folder for kind in (None, "q8_0", "q4_k_m")}

    assert folders == {"gguf-f16", "gguf-q8_0", "gguf-q4_k_m"}


def test_without_llama_cpp_an_export_is_refused_before_anything_is_written(folder):
    with pytest.raises(ConfigError, match=r"llama-cpp-python.*is not installed.*setup-formats.*--unchecked"):
        Gguf("q8_0").require(side(folder), backends(None))
    Gguf("q8_0", unchecked=True).require(side(folder), backends(None))


def test_a_k_quant_needs_llama_cpp_also_unchecked(folder):
    with pytest.raises(ConfigError, match=r"q4_k_m needs llama\.cpp.*--quantisation q8_0"):
        Gguf("q4_k_m", unchecked=True).require(side(folder), backends(None))


def test_rows_that_no_block_fits_are_refused_up_front(folder):
    with pytest.raises(ExportError, match=r"q8_0 needs rows in multiples of 32, and intermediate_size is 500.*f16"):
        Gguf("q8_0").require(side(folder, intermediate_size=500), backends("1"))
    Gguf("f16").require(side(folder, intermediate_size=500), backends("1"))


def test_rows_that_a_k_quant_stores_in_more_bits_are_noted_up_front(folder):
    (note,) = Gguf("q4_k_m").require(side(folder, hidden_size=896), backends("1"))

    assert "multiples of 256, and the model has hidden_size 896" in note
    assert Gguf("q4_k_m").require(side(folder), backends("1")) == ()
    assert Gguf("q8_0").require(side(folder, hidden_size=896), backends("1")) == ()


def test_a_k_quant_needs_disk_for_the_f16_file_too(folder):
    needed = {kind: Gguf(kind).bytes_needed(side(folder)) for kind in ("f16", "q8_0", "q4_k_m")}

    assert needed["q8_0"] < needed["f16"] == 2_000_000 < needed["q4_k_m"]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"use_sliding_window": True}, "sliding window"),
        ({"rope_scaling": {"type": "longrope"}}, "rope scaling"),
    ],
)
def test_a_model_that_llama_cpp_would_compute_differently_is_refused(folder, config, fault):
    with pytest.raises(ExportError, match=fault):
        require_writable(folder, CONFIG | config, "f16")


def test_a_tokenizer_that_splits_texts_differently_is_refused(folder):
    other = {**TOKENIZER, "pre_tokenizer": {"type": "ByteLevel"}}
    (folder / "tokenizer.json").write_text(json.dumps(other), encoding="utf-8")

    with pytest.raises(ExportError, match="does not split texts as Qwen2's does"):
        require_writable(folder, CONFIG, "f16")


def test_the_vocabulary_is_as_long_as_the_embedding_and_marks_control_tokens(folder):
    vocabulary = read_vocabulary(folder, CONFIG)

    assert vocabulary.tokens == ["a", "b", "ab", "<|endoftext|>", "<tool>", "[PAD5]"]
    assert vocabulary.kinds == ["normal", "normal", "normal", "control", "user-defined", "unused"]
    assert vocabulary.merges == ["a b"]
    assert vocabulary.specials == {"eos": 3, "pad": 3}
    assert vocabulary.chat_template == "old"


def test_the_newer_place_of_the_chat_template_wins(folder):
    (folder / "chat_template.jinja").write_text("new", encoding="utf-8")

    assert read_vocabulary(folder, CONFIG).chat_template == "new"


class FakeWriter(dict):
    """A GGUF writer that keeps the values it is given."""

    def __getattr__(self, name):
        return lambda *values: self.__setitem__(name, values)


@pytest.mark.parametrize(
    "rope", [{"rope_theta": 1e6}, {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}],
    ids=["as Qwen2.5 has it", "as transformers 5 writes it"],
)  # fmt: skip
def test_the_rotary_base_is_found_where_it_stands(rope):
    sizes = {"max_position_embeddings": 9, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6}
    written = FakeWriter()

    _describe(written, CONFIG | sizes | rope, Origin(name="a", finetune="v0", base_name="b"), "f16")

    assert written["add_rope_freq_base"] == (1e6,)
    assert written["add_head_count_kv"] == (2,)
    assert "add_rope_scaling_type" not in written


def test_a_scaled_context_is_written():
    sizes = {"max_position_embeddings": 9, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6}
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    written = FakeWriter()

    _describe(
        written, CONFIG | sizes | {"rope_theta": 1e6, "rope_scaling": yarn},
        Origin(name="a", finetune="v0", base_name="b", base_repository="org/b"), "q8_0",
    )  # fmt: skip

    assert written["add_rope_freq_base"] == (1e6,)
    assert written["add_rope_scaling_factor"] == (4.0,)
    assert written["add_rope_scaling_orig_ctx_len"] == (32768,)
    assert written["add_base_model_repo_url"] == (0, "https://huggingface.co/org/b")


def test_a_file_name_has_the_usual_form(folder):
    assert file_name(side(folder), "q8_0") == "My-model-v2--v3-20260101-000000-Q8_0.gguf"


def test_the_terminal_prints_what_the_gate_found():
    strict = {"probes": 5, "same": 4, "near_ties": 1, "largest_logit_difference": 0.004, "tolerance": 0.25}
    quantised = {
        "checked": True, "by": "llama-cpp-python 1", "probes": 5, "same": 4, "passed": 3, "kept": 3, "strayed": 0,
        "largest_logit_difference": 0.4, "tolerance": {"same": 0.8},
    }  # fmt: skip

    assert summary_lines(strict) == [
        "parity: 4 of 5 answers the same, 1 differ at a near tie",
        "largest logit difference: 0.004 (at most 0.25)",
    ]
    assert summary_lines(quantised) == [
        "parity: 4 of 5 answers the same (by llama-cpp-python 1)",
        "learned answers kept: 3 of 3",
        "largest logit difference: 0.4",
    ]
    assert summary_lines({**quantised, "strayed": 1})[1] == "learned answers kept: 3 of 3, markers out of place: 1"
    assert summary_lines({"checked": False, "holds": None}) == ["parity: not checked"]
