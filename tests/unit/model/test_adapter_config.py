"""An adapter's configuration is refused before peft sees it, if peft would not end."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import ModelError
from toolkit.model.adapter_config import require_bounded_adapter

NAMES = ["model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.10.mlp.down_proj"]
FIELDS = (
    "target_modules", "exclude_modules", "layers_pattern", "rank_pattern", "alpha_pattern", "modules_to_save",
    "target_parameters", "trainable_token_indices",
)  # fmt: skip


def check(folder: Path, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps({"peft_type": "LORA", "r": 8, **content})
    (folder / "adapter_config.json").write_text(text)
    require_bounded_adapter(folder, iter(NAMES))


@pytest.mark.parametrize(
    "content",
    [
        {"target_modules": ["q_proj", "down_proj"], "rank_pattern": {"q_proj": 4}, "alpha_pattern": {}},
        {"target_modules": "all-linear"},
        {"target_modules": r".*\.layers\.(1|2)\..*\b(\w+_proj)"},  # what lora_layers: middle writes
        {"target_modules": r"^(model\.layers\.\d+\.(?:self_attn|mlp)\.(?:q|k|v|o|gate|up|down)_proj)$"},
        {"layers_pattern": None, "layer_replication": None, "rank_pattern": {r"layers\.\d+\.q_proj": 16}},
    ],
)
def test_what_trainers_write_passes(tmp_path: Path, content: dict[str, Any]):
    check(tmp_path, content)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("shape", ["text", "list", "keys"])
def test_a_broken_pattern_is_refused_in_every_field(tmp_path: Path, field: str, shape: str):
    pattern = r"(\w+"
    value = {"text": pattern, "list": ["q_proj", pattern], "keys": {pattern: 4}}[shape]
    with pytest.raises(ModelError, match="patterns of layer names cannot be used: missing"):
        check(tmp_path, {field: value})


def test_a_pattern_that_backtracks_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.model.adapter_config.PATTERNS_S", 0.5)
    with pytest.raises(ModelError, match=r"more than 0\.5 seconds"):
        check(tmp_path, {"target_modules": r"((\w|\.)+)+!"})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"r": 10**9}, "a rank is not"),
        ({"r": 8.5}, "a rank is not"),
        ({"r": -1}, "a rank is not"),
        ({"rank_pattern": {"q_proj": 2**31}}, "a rank is not"),
        ({"layer_replication": [[0, 10**6]]}, "repeats layers"),
        ("[" * 5000, "nested"),
        ("[]", "not a JSON object"),
        ('{"a": "' + "x" * 1_000_001 + '"}', "more than 1 MB"),
    ],
)
def test_what_would_fill_the_memory_is_refused(tmp_path: Path, content: Any, why: str):
    with pytest.raises(ModelError, match=why):
        check(tmp_path, content)
