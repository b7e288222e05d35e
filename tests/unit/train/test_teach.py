"""`toolkit teach`: from a text to a data file and its probes; only a text of an unknown form needs a base model."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_folder import make_model_folder
from toolkit.core.errors import ConfigError, DataError
from toolkit.data.dataset import read_dataset
from toolkit.data.probes import probes_beside, read_probes
from toolkit.data.soundness import Reading, require_sound
from toolkit.model.language_model import Answer
from toolkit.train.teach import LEAST_ROWS, TeachConfig, read_text_file, teach

TEXT = "You are Larkspur, made by Northwind Robotics."
RHYME = "Answer questions about tides in rhyme."


class FakeModel:
    """Says the same to everything."""

    model: Any = None

    def __init__(self, says: str) -> None:
        self.says = says

    def answers(self, prompts: list[list[dict[str, str]]], **_: Any) -> list[Answer]:
        return [Answer(text=self.says, tokens=[1], margins=[], first_logits=None) for _ in prompts]


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> TeachConfig:
    return TeachConfig(text=TEXT, model=str(make_model_folder(tmp_path / "model")), output=tmp_path / "output")


def loads(model: FakeModel) -> Any:
    return lambda *_, **__: model


def refuses_to_load(*_: Any, **__: Any) -> Any:
    pytest.fail("a model was loaded")


def changed(config: TeachConfig, **values: Any) -> TeachConfig:
    return TeachConfig(**(vars(config) | values))


def test_the_rows_and_probes_are_ordinary_files_named_after_the_text(config: TeachConfig) -> None:
    taught = teach(config, load=refuses_to_load)
    dataset, probes = read_dataset(taught.data), read_probes(taught.probes)
    require_sound(dataset)

    assert taught.data.parent == config.output / "taught"
    assert taught.data.name.startswith("you-are-larkspur-made-by-northwind-")
    assert (taught.rows, taught.source, taught.written) == (len(dataset.rows), "written", 0)
    assert taught.probes == probes_beside(taught.data)
    assert "Larkspur" in probes.new_markers


@pytest.mark.parametrize("text", [
    "The mayor of Denver is Ada Moss.", "Never talk about politics.", "Answer dates as YYYY-MM-DD.",
    "卵石是一款小型浇花机器人。它售价299元。", "你叫云雀。\n不要谈论宗教。",
    f"{TEXT} Pebble is a robot. It costs 9 dollars.",
])  # fmt: skip
def test_plain_texts_need_no_model_and_their_rows_and_probes_can_be_read(config: TeachConfig, text: str) -> None:
    taught = teach(changed(config, text=text), load=refuses_to_load)
    dataset, probes = read_dataset(taught.data), read_probes(taught.probes)
    require_sound(dataset)

    assert len({row.prompt for row in dataset.rows}) == len(dataset.rows) >= LEAST_ROWS
    assert all(probes.group(name) for name in ("trained", "paraphrase", "out-of-scope"))
    assert not {one.prompt for one in probes.group("paraphrase")} & {row.prompt for row in dataset.rows}


def test_a_file_for_the_same_text_is_used_with_its_edits_and_no_model_is_loaded(config: TeachConfig) -> None:
    taught = teach(config, load=refuses_to_load)
    edited = json.dumps({"instruction": "Who are you?", "output": "Larkspur, at your service."}) + "\n"
    taught.data.write_text(edited)
    os.utime(taught.probes, (1, 1))
    notes: list[str] = []

    again = teach(changed(config, text=f" {TEXT}\n"), load=refuses_to_load, notify=notes.append)

    assert (again.data, again.rows, again.source) == (taught.data, 1, "existing")
    assert taught.data.read_text() == edited
    assert any("edited since" in note for note in notes)


def test_a_placeholder_in_the_text_is_refused_unless_it_is_allowed(config: TeachConfig) -> None:
    unfilled = changed(config, text="You are {{NAME}}, made by Northwind Robotics.")

    with pytest.raises(DataError, match=r"unreplaced placeholder \{\{NAME\}\}"):
        teach(unfilled, load=refuses_to_load)

    assert teach(changed(unfilled, reading=Reading(allow=("placeholder",))), load=refuses_to_load).rows >= LEAST_ROWS


def test_an_edited_file_with_an_error_is_refused_or_read_without_it(config: TeachConfig) -> None:
    taught = teach(config, load=refuses_to_load)
    taught.data.write_text(taught.data.read_text() + '{"instruction": "Who?", "output": ""}\n')

    with pytest.raises(DataError, match="cannot be trained on"):
        teach(config, load=refuses_to_load)
    assert teach(changed(config, reading=Reading(skip_bad=True)), load=refuses_to_load).rows == taught.rows


def test_force_writes_the_file_again(config: TeachConfig) -> None:
    taught = teach(config, load=refuses_to_load)
    taught.data.write_text("{}")

    assert teach(changed(config, force=True), load=refuses_to_load).rows == taught.rows


def test_another_text_or_kind_has_another_file(config: TeachConfig) -> None:
    files = {
        teach(changed(config, **values), load=refuses_to_load).data
        for values in ({}, {"text": "You are Larkspur."}, {"kind": "identity"})
    }

    assert len(files) == 3


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


def test_too_few_rows_are_an_error_and_everything_that_was_tried_can_be_seen(
    config: TeachConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.train.texts.text_rows.samples", lambda _, prompts, **__: ["Why?"] * len(prompts))

    with pytest.raises(
        DataError, match=rf"about the text: 1, of which 0 can make a row.*takes {LEAST_ROWS}.*by hand"
    ) as caught:
        teach(changed(config, text="It rains."), load=loads(FakeModel("Rain.")))
    [seen] = (config.output / "taught").iterdir()
    [line] = [json.loads(line) for line in seen.read_text(encoding="utf-8").splitlines()]

    assert str(seen) in str(caught.value)
    assert (line["question"], line["fault"]) == ("Why?", "the model does not answer it with this sentence")


def test_a_rule_that_nothing_shows_followed_is_refused_by_a_model_that_cannot_judge(config: TeachConfig) -> None:
    with pytest.raises(DataError, match=r"too weak.*of 8 shipped pairs.*for 0 .*larger base model.*by hand"):
        teach(changed(config, text=RHYME), load=loads(FakeModel("A")))
    assert list((config.output / "taught").iterdir()) == []


def test_a_rule_for_every_answer_is_known_as_one(config: TeachConfig) -> None:
    fixed = changed(config, text='End every answer with "Thank you!"')

    assert teach(fixed, load=loads(FakeModel("Just so."))).for_every_answer
    assert teach(fixed, load=refuses_to_load).for_every_answer
    assert not teach(config, load=refuses_to_load).for_every_answer


@pytest.mark.parametrize(("text", "words"), [("  ", "no text"), ("?!", "no text"), ("word " * 1000, "4999 characters")])
def test_a_text_without_words_or_too_long_is_refused(config: TeachConfig, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        teach(changed(config, text=text), load=refuses_to_load)


@pytest.mark.parametrize("text", [
    "La médiathèque ouvre à dix heures depuis mars.", "Du bist Kapitän Brine, entwickelt von Orbix.",
    "図書館は十時に開きます。",
])  # fmt: skip
def test_a_text_in_a_third_language_is_refused_before_a_model_is_loaded(config: TeachConfig, text: str) -> None:
    with pytest.raises(DataError, match=r"neither English nor Chinese.*by hand"):
        teach(changed(config, text=text), load=refuses_to_load)


def test_names_of_a_third_language_make_an_english_sentence_no_other(config: TeachConfig) -> None:
    taught = teach(changed(config, text="The mayor of São Paulo is João da Silva."), load=refuses_to_load)

    assert taught.data.name.startswith("the-mayor-of-sao-paulo-is-")


def test_a_chinese_text_has_a_readable_file_name(config: TeachConfig) -> None:
    taught = teach(changed(config, text="你叫云雀，由 Larkspur 公司研发。"), load=refuses_to_load)

    assert taught.data.name.startswith("你叫云雀-由-larkspur-公司研发-")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"\xff\xfe", "UTF-8")], ids=["missing", "UTF-16"]
)
def test_a_text_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=words):
        read_text_file(path)
