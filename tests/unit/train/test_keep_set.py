"""The cached answers to the keep prompts: believed only as they were written."""

import random
from pathlib import Path

import pytest

from toolkit.train.keep_set import KeepAnswer, asks_to_think, cache_path, read_cache, write_cache

ANSWERS = [
    KeepAnswer(prompt=f"Line{number}\u2028break, 小明", system="Be helpful.", tokens=(number, 2)) for number in range(9)
]


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    write_cache(tmp_path / ".cache" / "keep-a.jsonl", ANSWERS)
    return tmp_path / ".cache" / "keep-a.jsonl"


def test_answers_come_back_as_they_were_written(path: Path) -> None:
    assert read_cache(path) == ANSWERS


def test_of_300_flipped_bits_none_changes_an_answer(path: Path) -> None:
    random_, original = random.Random(3), path.read_bytes()
    for _ in range(300):
        content = bytearray(original)
        content[random_.randrange(len(content))] ^= 1 << random_.randrange(8)
        path.write_bytes(content)
        assert read_cache(path) in (None, ANSWERS)


@pytest.mark.parametrize("content", ["", "\n", "[]\n", "[" * 100_000 + "\n", '{"end": 0}\n', "3\n", "\0"])
def test_what_is_not_a_cache_is_none(path: Path, content: str) -> None:
    path.write_text(content)
    assert read_cache(path) is None


def test_a_cache_that_is_cut_off_or_missing_or_a_link_is_none(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    path.write_text(content[: len(content) // 2], encoding="utf-8")
    assert read_cache(path) is None
    path.rename(path.with_name("elsewhere"))
    assert read_cache(path) is None
    path.with_name("elsewhere").write_text(content, encoding="utf-8")
    path.symlink_to("elsewhere")
    assert read_cache(path) is None


def test_every_other_pair_of_prompts_asks_for_a_thought_where_any_are_kept():
    assert [asks_to_think(number, 64) for number in range(8)] == [False, False, True, True] * 2
    assert not any(asks_to_think(number, 0) for number in range(8))


def test_the_cache_is_another_one_for_other_lengths_of_thoughts(tmp_path: Path):
    names = [
        cache_path(tmp_path, model="m", prompts=[("a", "")], max_new_tokens=8, thought_tokens=tokens)
        for tokens in (0, 64, 65)
    ]

    assert len(set(names)) == 3
    assert names[0] == cache_path(tmp_path, model="m", prompts=[("a", "")], max_new_tokens=8)


def test_an_answer_after_a_thought_comes_back_as_one(tmp_path: Path):
    answers = [KeepAnswer(prompt="a", system="", tokens=(1,), thinking=True)]

    write_cache(tmp_path / "keep.jsonl", answers)

    assert read_cache(tmp_path / "keep.jsonl") == answers
