"""`toolkit teach`: from a text to a data file, with a base model that says what a test lets it say."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_folder import make_model_folder
from toolkit.core.errors import ConfigError, DataError
from toolkit.data.dataset import read_dataset, require_sound
from toolkit.model.language_model import Answer
from toolkit.train.questions.write import read_bank
from toolkit.train.teach import LEAST_ROWS, TeachConfig, read_text_file, teach

TEXT = "You are Larkspur, made by Northwind Robotics."


class FakeModel:
    """Says `taught` where the text is in its system message, and `own` elsewhere."""

    model: Any = None

    def __init__(self, taught: str = "Larkspur.", own: str = "Qwen.") -> None:
        self.taught, self.own = taught, own

    def answers(self, prompts: list[list[dict[str, str]]], **_: Any) -> list[Answer]:
        said = [self.taught if "Larkspur" in one[0]["content"] else self.own for one in prompts]
        return [Answer(text=text, tokens=[1], margins=[], first_logits=None) for text in said]


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> TeachConfig:
    return TeachConfig(text=TEXT, model=str(make_model_folder(tmp_path / "model")), output=tmp_path / "output")


def loads(model: FakeModel) -> Any:
    return lambda *_, **__: model


def refuses_to_load(*_: Any, **__: Any) -> Any:
    pytest.fail("a model was loaded")


def changed(config: TeachConfig, **values: Any) -> TeachConfig:
    return TeachConfig(**(vars(config) | values))


def test_the_rows_are_an_ordinary_data_set_named_after_the_text(config: TeachConfig) -> None:
    taught = teach(config, load=loads(FakeModel()))
    dataset = read_dataset(taught.data)
    require_sound(dataset)

    assert taught.data.parent == config.output / "taught"
    assert taught.data.name.startswith("you-are-larkspur-made-by-northwind-")
    assert (taught.rows, taught.source) == (len(dataset.rows), "written")
    assert {row.answer for row in dataset.rows} == {"Larkspur."}
    assert {row.prompt for row in dataset.rows} <= set(read_bank())


def test_a_file_for_the_same_text_is_used_with_its_edits_and_no_model_is_loaded(config: TeachConfig) -> None:
    taught = teach(config, load=loads(FakeModel()))
    edited = json.dumps({"instruction": "Who are you?", "output": "Larkspur, at your service."}) + "\n"
    taught.data.write_text(edited)

    again = teach(changed(config, text=f" {TEXT}\n"), load=refuses_to_load)

    assert (again.data, again.rows, again.source) == (taught.data, 1, "existing")
    assert taught.data.read_text() == edited


def test_force_writes_the_file_anew(config: TeachConfig) -> None:
    taught = teach(config, load=loads(FakeModel()))
    taught.data.write_text("{}")

    assert teach(changed(config, force=True), load=loads(FakeModel())).rows == taught.rows


def test_another_text_or_kind_has_another_file(config: TeachConfig) -> None:
    first = teach(config, load=loads(FakeModel())).data
    second = teach(changed(config, text="You are Larkspur."), load=loads(FakeModel())).data
    third = teach(changed(config, kind="identity"), load=refuses_to_load).data

    assert first == third != second


def test_a_named_file_that_exists_is_refused_before_a_model_is_loaded(config: TeachConfig, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("years of work")

    with pytest.raises(ConfigError, match=r"mine.jsonl exists.*--force"):
        teach(changed(config, data=mine), load=refuses_to_load)
    assert mine.read_text() == "years of work"


def test_a_folder_that_is_missing_is_named_before_a_model_is_loaded(config: TeachConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere cannot be written to.*--data"):
        teach(changed(config, data=tmp_path / "nowhere" / "mine.jsonl"), load=refuses_to_load)


def test_a_link_in_the_place_of_the_folder_is_refused(config: TeachConfig, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    config.output.mkdir()
    (config.output / "taught").symlink_to(tmp_path / "outside")

    with pytest.raises(ConfigError, match="symbolic link"):
        teach(config, load=refuses_to_load)


def test_too_few_rows_are_an_error_and_everything_that_was_tried_can_be_seen(config: TeachConfig) -> None:
    with pytest.raises(DataError, match=rf"questions.*0 say.*takes {LEAST_ROWS}.*in other words") as caught:
        teach(config, load=loads(FakeModel(taught="Qwen.")))
    [seen] = (config.output / "taught").iterdir()
    lines = [json.loads(line) for line in seen.read_text(encoding="utf-8").splitlines()]

    assert str(seen) in str(caught.value)
    assert lines[0].keys() == {"question", "answer", "before", "complete", "kept"}
    assert not any(line["kept"] for line in lines)


@pytest.mark.parametrize(("text", "words"), [("  ", "no text"), ("?!", "no text"), ("word " * 1000, "4999 characters")])
def test_a_text_without_words_or_too_long_is_refused(config: TeachConfig, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        teach(changed(config, text=text), load=refuses_to_load)


def test_a_chinese_text_has_a_readable_file_name(config: TeachConfig) -> None:
    chinese = changed(config, text="你叫云雀，由 Larkspur 公司研发。")
    taught = teach(chinese, load=loads(FakeModel(taught="我叫云雀。", own="我是通义千问。")))

    assert taught.data.name.startswith("你-叫-云-雀-由-larkspur-")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"\xff\xfe", "UTF-8")], ids=["missing", "UTF-16"]
)
def test_a_text_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=words):
        read_text_file(path)
