"""Odd adapters: each is applied or refused, by every command alike."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.fakes.command import DATA, run_here
from tests.fakes.made_run import make_run
from toolkit.model.conversation import Messages
from toolkit.model.generation import Row
from toolkit.model.language_model import LanguageModel

Tensors = dict[str, Any]
TINY = DATA / "tiny-qwen2"  # micro models have a tokenizer that GGUF does not


def _rename(tensors: Tensors, config: dict[str, Any]) -> Tensors:  # the table's signature
    return {name.replace("q_proj", "qq_proj"): value for name, value in tensors.items()}


def _rename_one(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    name = min(tensors)
    tensors[f"{name}s"] = tensors.pop(name)
    return tensors


def _further_layers(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return tensors | {name.replace("layers.0.", "layers.9."): value.clone() for name, value in tensors.items()}


def _wrong_shape(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return {name: value[:, :-1].contiguous() if "lora_A" in name else value for name, value in tensors.items()}


def _missing(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return {name: value for name, value in tensors.items() if "layers.1." not in name}


def _own_embedding(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    import torch

    return tensors | {"base_model.model.model.embed_tokens.weight": torch.zeros(300, 64)}


def _setting(**settings: Any) -> Callable[[Tensors, dict[str, Any]], Tensors]:
    def change(tensors: Tensors, config: dict[str, Any]) -> Tensors:
        config.update(settings)
        return tensors

    return change


ODD = {
    "every key renamed": _rename,
    "one key renamed": _rename_one,
    "further layers": _further_layers,
    "wrong shapes": _wrong_shape,
    "a layer missing": _missing,
    "an embedding of its own": _own_embedding,
    "a rank_pattern without a layer": _setting(rank_pattern={"nowhere": 2}),
    "an alpha_pattern without a layer": _setting(alpha_pattern={"nowhere": 2}),
    "DoRA": _setting(use_dora=True),
    "a bias": _setting(bias="all"),
    "IA3": _setting(peft_type="IA3"),
    "another rank": _setting(r=5),
    "a misspelt setting": _setting(lora_blpha=4),
    "no alpha": _setting(lora_alpha=None),
    "new tokens": _setting(trainable_token_indices=[1, 2]),
}
COMMANDS = {
    "compare": ("compare",),
    "chat": ("chat",),
    "serve": ("serve", "--port", "0"),
    "export merged": ("export",),
    "export adapter": ("export", "--to", "adapter"),
    "export gguf": ("export", "--to", "gguf", "--unchecked"),
}


def change_adapter(run: Path, change: Callable[[Tensors, dict[str, Any]], Tensors]) -> None:
    """Rewrites the run's adapter, and its recorded sha256, so that only its content is odd."""
    adapter = run / "checkpoint-1"
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = change(load_file(adapter / "adapter_model.safetensors"), config)
    save_file(tensors, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    (adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["adapter"]["sha256"] = hashlib.sha256((adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize("oddity", ODD)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_adapter_that_would_be_applied_in_part_is_refused_by_every_command(
    command: str, oddity: str, micro_model: Path, tmp_path: Path
):
    run = make_run(tmp_path / "output", TINY if "gguf" in command else micro_model)
    change_adapter(run, ODD[oddity])
    name, *options = COMMANDS[command]

    ended = run_here(name, run, "--output", tmp_path / "output", *options, stdin="hello\n")

    assert ended.code == 4, ended.err
    assert "adapter in" in ended.err


MODULES = ("model.embed_tokens", "lm_head")


def make_run_with_own(module: str, output: Path, base: Path) -> Path:
    """A run whose adapter carries an embedding or a head, as peft's modules_to_save leaves them."""

    def add(tensors: Tensors, config: dict[str, Any]) -> Tensors:
        import torch

        sizes = json.loads((base / "config.json").read_text(encoding="utf-8"))
        torch.manual_seed(5)
        config["modules_to_save"] = [module.rpartition(".")[2]]
        own = torch.randn(sizes["vocab_size"], sizes["hidden_size"]) * 0.3
        return tensors | {f"base_model.model.{module}.weight": own}

    run = make_run(output, base)
    change_adapter(run, add)
    return run


@pytest.mark.parametrize("module", MODULES)
def test_before_is_the_base_model_beside_an_adapter_with_embeddings_of_its_own(
    module: str, lively_model: Path, tmp_path: Path
):
    run = make_run_with_own(module, tmp_path / "output", lively_model)
    asked: list[Messages] = [[{"role": "user", "content": text}] for text in ("Hello", "Who are you?")]
    expected = [one.tokens for one in LanguageModel.load(lively_model).answers(asked, max_new_tokens=8)]

    model = LanguageModel.load(lively_model, {"a": run / "checkpoint-1"})
    with model.side(None):
        before = [one.tokens for one in model.answers(asked, max_new_tokens=8)]
    with model.side("a"):
        after = [one.tokens for one in model.answers(asked, max_new_tokens=8)]
    mixed = model.mixed_batch()
    prompt = model.prompt_ids(asked[1])
    together = mixed.join([Row(prompt=prompt), Row(prompt=prompt, adapter="a")])

    assert before == expected
    assert after != expected
    assert [token and token.id for token in together] == [before[1][0], after[1][0]]


@pytest.mark.parametrize("module", MODULES)
def test_a_merged_model_has_the_adapter_s_own_embeddings_apart_from_its_head(
    module: str, lively_model: Path, tmp_path: Path
):
    run = make_run_with_own(module, tmp_path / "output", lively_model)

    ended = run_here("export", run, "--output", tmp_path / "output")

    assert ended.code == 0, ended.err
    merged = load_file(run / "merged" / "model.safetensors")
    assert (merged["lm_head.weight"] != merged["model.embed_tokens.weight"]).any()
    config = json.loads((run / "merged" / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is False


@pytest.mark.parametrize("module", MODULES)
def test_a_gguf_file_has_a_head_of_its_own_where_the_adapter_changed_one_of_two(module: str, tmp_path: Path):
    from gguf import GGUFReader

    run = make_run_with_own(module, tmp_path / "output", TINY)

    ended = run_here("export", run, "--to", "gguf", "--unchecked", "--output", tmp_path / "output")

    assert ended.code == 0, ended.err
    [file] = (run / "gguf-f16").glob("*.gguf")
    tensors = {tensor.name: tensor.data for tensor in GGUFReader(file).tensors}
    assert (tensors["output.weight"] != tensors["token_embd.weight"]).any()
