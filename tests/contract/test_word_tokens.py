"""Texts that are encoded by their words, against the tokenizers library."""

import random
import string
from pathlib import Path

import pytest

from toolkit.train.ms_swift.word_tokens import PATTERN, WordTokens

tokenizers = pytest.importorskip("tokenizers")
TINY = Path(__file__).parents[2] / "data" / "tiny-qwen2" / "tokenizer.json"
PIECES = [*string.printable.replace("\x0b", "").replace("\x0c", ""), "'s", "'LL", " don't", "  ", "\r\n", "word",
          "2024", " the", "\n\n ", "\x0b", "\x0c", "<tool_call>", "<|im_start|>", "é", "你好", "ſ"]  # fmt: skip


def texts(count: int) -> list[str]:
    chance = random.Random(7)
    return ["".join(chance.choices(PIECES, k=chance.randint(0, 40))) for _ in range(count)]


def with_digits(digits: str) -> "tokenizers.Tokenizer":
    from tokenizers import Regex, pre_tokenizers

    made = tokenizers.Tokenizer.from_file(str(TINY))
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN % digits), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    return made


@pytest.mark.parametrize("digits", ["", "{1,3}", "{2}"])
def test_texts_encoded_by_their_words_have_the_tokens_that_the_library_gives(digits):
    tokenizer, given = with_digits(digits), texts(4000)

    found = WordTokens(tokenizer).ids(given)

    assert [list(one) for one in found] == [tokenizer.encode(text, add_special_tokens=False).ids for text in given]


@pytest.mark.parametrize(("digits", "known"), [("", True), ("{1,3}", True), ("{2}", False)])
def test_only_known_patterns_are_divided_by_ours(digits, known):
    assert (WordTokens(with_digits(digits))._pattern is not None) == known


def test_the_embedded_model_divides_texts_in_the_known_way():
    assert WordTokens(tokenizers.Tokenizer.from_file(str(TINY)))._pattern is not None


def test_a_text_full_of_new_words_forgets_the_old_ones(monkeypatch):
    monkeypatch.setattr("toolkit.train.ms_swift.word_tokens.MOST_WORDS", 10)
    words, given = WordTokens(with_digits("")), texts(300)

    first, again = words.ids(given[:200]), [words.ids([text])[0] for text in given[:200]]

    assert first == again
