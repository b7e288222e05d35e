"""A GGUF file's tokenizer and keys, and the models that it cannot represent."""

import json

import pytest

from tests.fakes.qwen2_files import CONFIG, TOKENIZER, write_tokenizer
from toolkit.core.errors import ExportError
from toolkit.export.gguf_file import Origin, _describe, read_vocabulary, require_writable


@pytest.fixture(name="folder")
def _folder(tmp_path):
    return write_tokenizer(tmp_path)


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
