"""A tokenizer that was read before, and the one that would be read again: by us and by ms-swift."""

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from toolkit.model.loading import load_pretrained

TEXT = "Who are you? <|im_end|> 你好 \n\n 123"


@pytest.fixture(name="folder")
def _folder(micro_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(micro_model, tmp_path / "model"))


def encoder(folder: Path) -> Any:
    return import_module("toolkit.train.ms_swift.encoder").SwiftEncoder(folder, 128)


@pytest.fixture(name="read")
def _read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that transformers reads a tokenizer from."""
    auto, found = import_module("transformers").AutoTokenizer, []
    from_pretrained = auto.from_pretrained
    monkeypatch.setattr(auto, "from_pretrained", lambda path, **how: found.append(path) or from_pretrained(path, **how))
    return found


def test_it_is_read_once_and_each_who_asks_has_one_of_their_own(folder: Path, read: list[str]):
    first, second = encoder(folder)._tokenizer, encoder(folder)._tokenizer
    _, third = load_pretrained(folder)

    assert read == [str(folder)]
    assert first is not second is not third is not first
    assert {type(one) for one in (first, second, third)} == {type(first)}
    assert first(TEXT)["input_ids"] == second(TEXT)["input_ids"] == third(TEXT)["input_ids"]
    second.chat_template, second.eos_token = "{{ messages }}", "<|im_start|>"
    assert first.chat_template != second.chat_template
    assert first.eos_token != "<|im_start|>"
    assert encoder(folder)._tokenizer.chat_template == first.chat_template


def test_what_one_pads_or_cuts_off_changes_nothing_that_another_encodes(folder: Path):
    one, other = encoder(folder), encoder(folder)
    expected = one._words.ids(["Hi", TEXT])

    other._tokenizer(["Hi", TEXT], padding=True, truncation=True, max_length=3)

    assert one._words.ids(["Hi", TEXT]) == expected
    assert encoder(folder)._words.ids(["Hi", TEXT]) == expected


def test_a_folder_that_has_changed_is_read_again(folder: Path, read: list[str]):
    encoder(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"chat_template": "{{ 1 }}"}))

    encoder(folder)

    assert len(read) == 2
