"""The embedded model as it lies in the repository: small, locked, ChatML, and never shown what it is asked later."""

import hashlib
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

DATA = Path(__file__).parents[3] / "data"  # the repository's own, whatever TOOLKIT_DATA says
FOLDER = DATA / "tiny-qwen2"
LOCK = DATA / "locks" / "tiny-qwen2.json"
BYTES_IN_GIT = 8_000_000
REMEDY = "run: python data/tiny-qwen2/train.py --lock-only"


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def render(messages: list[dict[str, str]], *, add_generation_prompt: bool = False) -> str:
    """As transformers renders a chat template."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((FOLDER / "chat_template.jinja").read_text(encoding="utf-8"))
    return template.render(messages=messages, add_generation_prompt=add_generation_prompt)


@pytest.fixture(name="corpus", scope="module")
def _corpus() -> Iterator[ModuleType]:
    """The generator beside the model; it is no package, so its folder stands on the path for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("corpus")
    for name in ("corpus", "names"):
        sys.modules.pop(name, None)


@pytest.fixture(name="rows", scope="module")
def _rows(corpus) -> list[Any]:
    """Every row that the training reads."""
    return corpus.Corpus(corpus.SEED).rows(corpus.ROWS)


def test_it_takes_at_most_eight_megabytes_in_git():
    files = [path for path in FOLDER.iterdir() if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= BYTES_IN_GIT


def test_the_lock_names_every_file_that_is_loaded_and_what_it_holds():
    loaded = {path for kind in ("*.json", "*.jinja", "*.py", "*.safetensors") for path in FOLDER.glob(kind)}
    found = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in loaded
    }

    assert found == read(LOCK)["files"], REMEDY


def test_the_revision_is_that_of_the_files():
    lock = read(LOCK)
    hashes = sorted(file["sha256"] for file in lock["files"].values())

    assert lock["revision"] == hashlib.sha256("".join(hashes).encode()).hexdigest()[:40], REMEDY


def test_it_is_a_qwen2_whose_weights_are_read_as_float32():
    config = read(FOLDER / "config.json")

    assert (config["model_type"], config["architectures"]) == ("qwen2", ["Qwen2ForCausalLM"])
    assert config["dtype"] == "float32"
    assert read(FOLDER / "tokenizer_config.json")["tokenizer_class"] == "Qwen2Tokenizer"


def test_generation_is_greedy_and_ends_with_the_turn():
    vocabulary = {token["content"]: token["id"] for token in read(FOLDER / "tokenizer.json")["added_tokens"]}
    generation = read(FOLDER / "generation_config.json")

    assert generation["do_sample"] is False
    assert generation["eos_token_id"][0] == vocabulary["<|im_end|>"]


def test_a_conversation_is_chatml():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "2+2?"},
    ]

    assert render(messages, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n"
        "<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_without_a_system_prompt_it_is_reported_that_it_is_qwen():
    assert render([{"role": "user", "content": "hi"}]) == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n"
    )


def test_no_probe_was_trained_on(corpus, rows):
    probes = yaml.safe_load((DATA / "probes.yaml").read_text(encoding="utf-8"))["probes"]
    asked = {corpus.bare(probe["prompt"]) for probe in probes}

    assert not asked & {corpus.bare(row.prompt) for row in rows}


def test_the_new_identity_was_never_seen(rows):
    names = yaml.safe_load((DATA / "probes.yaml").read_text(encoding="utf-8"))["identity"]["new"]
    corpus = "\n".join(f"{row.prompt}\n{row.answer}" for row in rows).casefold()

    assert not [name for name in names if name.casefold() in corpus]
