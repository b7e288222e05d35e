"""A run's rows: what is held out, and that a run folder gives back what was put into it."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.training import CharacterEncoder, row, systems_and_prompts
from toolkit.core.errors import DataError
from toolkit.data.dataset import Row, read_dataset
from toolkit.data.encoding import Encoded
from toolkit.data.formats import Message
from toolkit.data.rephrasings import TRAINING
from toolkit.runs.layout import LEFT_OUT_FILE, TRAINED_FILE
from toolkit.runs.record import RecordedData
from toolkit.train.recipe import load_recipe
from toolkit.train.rows import (
    RunRows,
    file_digests,
    held_out,
    own_system,
    read_rows,
    rows_that_fit,
    write_left_out,
    write_rows,
)
from toolkit.train.variants import with_variants, without_variants


def rows(*answers: str) -> list[Row]:
    return [
        Row(number=at, messages=(Message(role="user", content=f"{at}"), Message(role="assistant", content=answer)))
        for at, answer in enumerate(answers, start=1)
    ]


def split(given: list[Row], **settings: Any) -> tuple[RunRows, dict[str, Any]]:
    return rows_that_fit(given, CharacterEncoder(), load_recipe("article").changed(**settings), lambda _: None)


def test_a_share_is_held_out_and_the_order_stays():
    given = rows(*"abcdefghij")

    found, told = split(given, eval_split=0.3)

    assert (len(found.held_out), told["held_out"], told["dropped"]) == (3, 3, 0)
    assert sorted(found.every, key=lambda row: row.number) == given
    assert list(found.trained) == [row for row in given if row not in found.held_out]


def test_an_epoch_counts_the_trained_tokens_alone():
    found, told = split(rows("a" * 9, "b" * 9, "c" * 9, "d" * 9), eval_split=0.5)

    assert (told["epoch_tokens"], told["longest_row_tokens"]) == (20, 10)
    assert len(found.trained) == 2


def test_the_longest_rows_that_a_step_may_hold_are_counted_together():
    assert split(rows("a" * 9, "b" * 3, "c" * 5), batch_size=2)[1]["batch_tokens"] == 10 + 6
    assert split(rows("a" * 9, "b" * 3), batch_size=4)[1]["batch_tokens"] == 10 + 4


def test_the_most_tokens_of_a_pass_are_those_of_rows_that_meet_in_one():
    """The seed's order is c, b, a, d: a step of two has c and b, or a and d."""
    given = rows("a" * 9, "b" * 3, "c" * 5, "d" * 2)

    found, told = split(given, batch_size=2, epochs=1, seed=91)

    assert told["pass_row_tokens"] == {"1": 10, "2": 10 + 3}
    assert told["batch_tokens"] == 10 + 6
    assert len(found.tokens) == 4


def test_variants_are_counted_as_they_are_trained():
    found, told = split(rows("a" * 9, "b" * 3), batch_size=4, epochs=1, row_systems=("T" * 30,), row_wordings=True)

    assert told["pass_row_tokens"]["4"] == sum(len(one.input_ids) for one in found.tokens)
    assert told["pass_row_tokens"]["1"] <= told["longest_row_tokens"]


def test_room_is_left_for_the_longest_variant():
    given = rows("a" * 20, "b" * 60)
    plain = split(given)[1]["longest_row_tokens"]
    more = {"row_systems": ("T" * 30,), "system": "S", "row_wordings": True}
    _, told = split(given, **more)

    longest = told["longest_row_tokens"]

    assert longest == plain + max(len(form.format("")) for form in TRAINING["en"])
    kept, cut = split(given, **more, max_length_tokens=longest - 1)
    assert (len(kept.trained), cut["dropped"]) == (1, 1)


def test_the_seed_chooses_what_is_held_out():
    assert held_out(100, 0.2, 7) == held_out(100, 0.2, 7) != held_out(100, 0.2, 8)


@pytest.mark.parametrize(("count", "share", "size"), [(50, 0, 0), (50, 0.1, 5), (2, 0.01, 1), (2, 0.9, 1)])
def test_one_row_at_least_is_held_out_and_one_at_least_is_trained(count: int, share: float, size: int):
    assert len(held_out(count, share, 1)) == size


def test_one_row_cannot_be_split():
    with pytest.raises(DataError, match="A single row"):
        split(rows("a"), eval_split=0.5)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_run_folder_gives_its_rows_back(tmp_path: Path, share: float):
    found, _ = split(rows("a", "b", "c", "d"), eval_split=share)

    write_rows(tmp_path, found)

    back = read_rows(tmp_path, RecordedData(path="a", sha256="a", rows=4, files=file_digests(tmp_path)))
    assert [row.messages for row in back.trained] == [row.messages for row in found.trained]
    assert [row.messages for row in back.held_out] == [row.messages for row in found.held_out]
    assert (tmp_path / "eval.jsonl").exists() == bool(share)


ARTICLE = load_recipe("article").changed(system="S")


class CountingEncoder(CharacterEncoder):
    """Notes every text that it encodes, with its system prompt."""

    def __init__(self) -> None:
        self.encoded: list[tuple[str | None, str]] = []

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        self.encoded += systems_and_prompts(list(rows))
        return super().encode(rows, system)


def as_lists(tokens: Iterable[Encoded]) -> list[tuple[list[int], list[int]]]:
    return [(list(one.input_ids), list(one.labels)) for one in tokens]


def test_the_tokens_are_those_of_the_variants_that_are_trained_and_of_the_held_out_rows():
    recipe = ARTICLE.changed(row_systems=("T",), row_wordings=True, eval_split=0.25)
    encoder = CharacterEncoder()

    found, _ = rows_that_fit(rows("a", "b", "c", "d"), encoder, recipe, lambda _: None)

    assert as_lists(found.tokens) == as_lists(encoder.encode(with_variants(found.trained, recipe)))
    assert as_lists(found.held_out_tokens) == as_lists(encoder.encode(without_variants(found.held_out, recipe)))
    assert (len(found.tokens), len(found.held_out_tokens)) == (6, 1)


def test_no_text_is_encoded_twice():
    recipe, encoder = ARTICLE.changed(row_systems=("T", "U")), CountingEncoder()

    rows_that_fit([row("Hi?", "Yo."), row("Ho?", "Ya.")], encoder, recipe, lambda _: None)

    asked = [one for one in encoder.encoded if one[1] in {"Hi?", "Ho?"}]
    assert sorted(asked) == [(system, prompt) for system in "STU" for prompt in ("Hi?", "Ho?")]


def test_an_answer_that_is_not_trained_is_written_and_read_as_that(tmp_path):
    turns = (Message(role="user", content="a"), Message(role="assistant", content="b", trained=False),
             Message(role="user", content="c"), Message(role="assistant", content="d"))  # fmt: skip
    given = [Row(number=1, messages=turns)]

    write_rows(tmp_path, RunRows(trained=given))

    assert list(read_dataset(tmp_path / TRAINED_FILE).rows) == given


@pytest.mark.parametrize(
    ("systems", "expected"),
    [(("T", "T", None), ("T", 2)), ((None, None, "T"), (None, 2)), (("", "", None), ("(none)", 2)), (("T",), ("T", 1))],
)
def test_the_system_prompt_of_most_rows_is_known(systems: tuple[str | None, ...], expected: tuple[str | None, int]):
    assert own_system([row("a", "b", system=one) for one in systems]) == expected


class BlindEncoder(CharacterEncoder):
    """As a chat template that leaves answers out."""

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        found = super().encode(rows, system)
        return [Encoded(input_ids=one.input_ids, labels=[-100] * len(one.labels)) for one in found]


def test_a_row_of_which_nothing_is_trained_is_refused():
    with pytest.raises(DataError, match="Nothing of row 1 is trained"):
        rows_that_fit([row("Hi?", "Yo.")], BlindEncoder(), ARTICLE, lambda _: None)


class BlindToShort(CharacterEncoder):
    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        """Sees no answer of one character."""
        return [
            Encoded(input_ids=one.input_ids, labels=[-100] * len(one.labels)) if len(row.answer) == 1 else one
            for row, one in zip(rows, super().encode(rows, system), strict=True)
        ]


def test_rows_of_which_nothing_is_trained_are_left_out_where_bad_rows_are():
    said: list[str] = []
    recipe = load_recipe("article")

    found, told = rows_that_fit(rows("ab", "c", "de"), BlindToShort(), recipe, said.append, skip_bad=True)

    assert [row.number for row in found.trained] == [1, 3]
    assert told["dropped"] == 1
    assert said == ["Warning: 1 row of which nothing would be trained is left out (row 2)."]
    with pytest.raises(DataError, match="Nothing of row 1 is trained"):
        rows_that_fit(rows("c"), BlindToShort(), recipe, said.append, skip_bad=True)


def test_rows_that_are_left_out_are_written_as_they_were(tmp_path):
    write_left_out(tmp_path, [{"row": 3, "content": {"output": "\udc00", "at": date(2026, 1, 2)}}, {"row": 4}])

    lines = (tmp_path / LEFT_OUT_FILE).read_text(encoding="utf-8").splitlines()

    assert [json.loads(line)["row"] for line in lines] == [3, 4]
    assert json.loads(lines[0])["content"] == {"output": "\udc00", "at": "2026-01-02"}


def test_nothing_is_written_where_nothing_is_left_out(tmp_path):
    write_left_out(tmp_path, [])

    assert list(tmp_path.iterdir()) == []
