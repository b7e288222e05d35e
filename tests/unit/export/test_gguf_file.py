"""Models whose long conversations llama.cpp would compute differently: refused, or named."""

import pytest

from toolkit.core.errors import ExportError
from toolkit.export.gguf_file import ignored_window, require_writable

CONFIG = {
    "model_type": "qwen2", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
    "max_position_embeddings": 32_768,
}  # fmt: skip
FULL, SLIDING = "full_attention", "sliding_attention"


@pytest.mark.parametrize(
    "rope", [{}, {"rope_scaling": {"type": "yarn"}}, {"rope_parameters": {"rope_type": "linear"}}],
    ids=["none", "as Qwen2.5 has it", "as transformers 5 writes it"],
)  # fmt: skip
def test_a_usual_rope_scaling_is_written(rope):
    require_writable(CONFIG | rope, "f16")


def test_a_rope_scaling_of_one_family_is_refused_in_others():
    longrope = {"rope_scaling": {"type": "longrope"}}

    require_writable(CONFIG | longrope | {"model_type": "phi3"}, "f16")
    with pytest.raises(ExportError, match="rope scaling"):
        require_writable(CONFIG | longrope, "f16")


def test_windows_in_the_pattern_that_llama_cpp_takes_for_granted_are_written():
    olmo = CONFIG | {"model_type": "olmo3", "sliding_window": 4096}

    require_writable(olmo | {"layer_types": [SLIDING, SLIDING, SLIDING, FULL]}, "f16")
    require_writable(olmo, "f16")
    with pytest.raises(ExportError, match="all layers but each 4th"):
        require_writable(olmo | {"layer_types": [SLIDING, FULL, SLIDING, FULL]}, "f16")


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({"model_type": "mistral", "sliding_window": 4096}, 4096),
        ({"model_type": "mistral", "sliding_window": None}, None),
        ({"model_type": "phi3", "sliding_window": 262_144}, None),
        ({"model_type": "gemma2", "sliding_window": 4096}, None),
        ({"sliding_window": 4096, "use_sliding_window": False}, None),
        ({"sliding_window": 4096, "use_sliding_window": True, "layer_types": [FULL, FULL, SLIDING, SLIDING]}, 4096),
        ({"sliding_window": 4096, "layer_types": [FULL] * 4}, None),
    ],
    ids=["Mistral 0.1", "Mistral 0.3", "wider than the context", "llama.cpp has it", "off", "in some", "in none"],
)
def test_a_window_that_llama_cpp_ignores_is_named(config, window):
    assert ignored_window(CONFIG | config) == window
