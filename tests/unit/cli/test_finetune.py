"""`toolkit finetune` on broken input: one line that says what is wrong, its exit code, and no run folder."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.command import told
from tests.fakes.finetune_user import ROWS, Call, FinetuneUser, _call, _user
from tests.fakes.model_folder import make_model_folder

__all__ = ["_call", "_user"]  # fixtures


@pytest.fixture(scope="module", name="micro_model")
def _micro_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No weights: all of this is found before any are read."""
    return make_model_folder(tmp_path_factory.mktemp("models") / "micro")


BROKEN_DATA = {
    "missing": (None, "No data set"),
    "empty": (b"", "empty"),
    "an empty list": (b"[]", "no rows"),
    "truncated": (json.dumps(ROWS).encode()[:-20], "JSON"),
    "no JSON": (b"Who are you?", "JSON"),
    "GBK": (json.dumps([{"instruction": "你是谁？", "output": "我"}], ensure_ascii=False).encode("gbk"), "GB"),
    "no answer": (b'[{"instruction": "Who are you?"}]', "row 1"),
    "an empty answer": (b'[{"instruction": "Who are you?", "output": " "}]', "row 1"),
    "a NUL byte": (b'[{"instruction": "Who\x00?", "output": "I"}]', ""),
    "a placeholder": (b'[{"instruction": "Who?", "output": "I am {{NAME}}."}]', "unreplaced placeholder {{NAME}}"),
    "other keys": (b'[{"x": "y"}]', "has no known keys"),
}


@pytest.mark.parametrize("fault", BROKEN_DATA)
def test_broken_data_is_reported_and_leaves_no_run(user: FinetuneUser, call: Call, fault: str):
    content, word = BROKEN_DATA[fault]
    if content is not None:
        user.writes("broken.json", content)

    told(call(*user.job(data="broken.json")), 5, "broken.json", word)
    assert not user.output.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nowhere/model"), ("No base model 'nowhere/model'", "Known: ")),
        (("--recipe", "quick"), ("No recipe 'quick'", "Shipped: article")),
        (("--epochs", "0"), ("epochs is 0",)),
        (("--micro-batch-size", "3"), ("micro_batch_size is 3", "divides batch_size (4)")),
        (("--resume",), ()),
    ],
)
def test_what_is_unknown_is_reported_and_leaves_no_run(
    user: FinetuneUser, call: Call, options: tuple[str, ...], words: tuple[str, ...]
):
    arguments = user.job(*options) if words else ["finetune", "--resume", "v7"]

    told(call(*arguments), 3, *(words or ("No run 'v7'",)))
    assert not user.output.exists()


def _truncate(model: Path) -> None:
    shard = model / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-10])


def _corrupt(model: Path) -> None:
    shard = model / "model.safetensors"
    shard.write_bytes(struct.pack("<Q", 50) + shard.read_bytes()[8:])


def _pickle(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def _bring_code(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "evil.Model"}}))
    (model / "evil.py").write_text("raise SystemExit('this code must never run')")


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda model: (model / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda model: (model / "config.json").unlink(), "config.json is missing"),
        (_truncate, "is truncated"),
        (_corrupt, "is corrupt"),
        (_pickle, "only in pickles (pytorch_model.bin)"),
        (_bring_code, "its own Python code"),
    ],
)
def test_a_broken_base_model_is_reported_and_leaves_no_run(
    user: FinetuneUser, call: Call, damage: Callable[[Path], None], word: str
):
    user.model = shutil.copytree(user.model, user.home / "model")
    damage(user.model)

    told(call(*user.job()), 4, str(user.model), word)
    assert not user.output.exists()
