"""Odd adapters: each is applied or refused, by every command alike (GGUF: tests/formats/test_gguf_file.py)."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.fakes.command import run_here
from tests.fakes.made_run import make_run
from tests.fakes.odd_adapters import MODULES, ODD, change_adapter, make_run_with_own
from toolkit.model.conversation import Messages
from toolkit.model.generation import Row
from toolkit.model.language_model import LanguageModel

COMMANDS = {
    "compare": ("compare",),
    "chat": ("chat",),
    "serve": ("serve", "--port", "0"),
    "export merged": ("export",),
    "export adapter": ("export", "--to", "adapter"),
}


@pytest.mark.parametrize("oddity", ODD)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_adapter_that_would_be_applied_in_part_is_refused_by_every_command(
    command: str, oddity: str, micro_model: Path, tmp_path: Path
):
    run = make_run(tmp_path / "output", micro_model)
    change_adapter(run, ODD[oddity])
    name, *options = COMMANDS[command]

    ended = run_here(name, run, "--output", tmp_path / "output", *options, stdin="hello\n")

    assert ended.code == 4, ended.err
    assert "adapter in" in ended.err


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
