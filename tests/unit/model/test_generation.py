"""How the next token is chosen, and how tokens become text; the logits and the tokenizer are made by hand."""

import math
from collections import Counter

import pytest
import torch

from toolkit.model.generation import Detokenizer, Row, Token, next_tokens, pad_left

LIKELY_FIRST = [math.log(probability) for probability in (0.1, 0.5, 0.1, 0.3)]
DRAWS = 4000


def chosen(logits, *rows: Row):
    return next_tokens(torch.tensor([logits] * len(rows)), rows)[0]


def frequencies(**settings) -> dict[int, float]:
    torch.manual_seed(1)
    tokens = chosen(LIKELY_FIRST, *[Row(prompt=[1], **settings)] * DRAWS)
    return {id_: count / DRAWS for id_, count in Counter(token.id for token in tokens).items()}


def test_without_a_temperature_the_highest_logit_is_taken():
    assert chosen(LIKELY_FIRST, Row(prompt=[1]), Row(prompt=[1], top_p=0.5)) == [Token(id=1), Token(id=1)]


def test_at_temperature_1_tokens_are_as_frequent_as_the_model_says():
    found = frequencies(temperature=1.0)

    assert all(abs(found[id_] - math.exp(logit)) < 0.03 for id_, logit in enumerate(LIKELY_FIRST))


def test_a_temperature_sharpens_or_flattens():
    weights = [math.exp(logit / 0.5) for logit in LIKELY_FIRST]
    found = frequencies(temperature=0.5)

    assert all(abs(found[id_] - weight / sum(weights)) < 0.03 for id_, weight in enumerate(weights))


@pytest.mark.parametrize("temperature", [1e-6, 1e-30, 1e-38, 1e-45, 5e-324, -0.0])
def test_a_temperature_near_zero_is_greedy(temperature):
    assert frequencies(temperature=temperature) == {1: 1.0}


@pytest.mark.parametrize("temperature", [0.0, 1e-38, 5e-324])
def test_near_zero_equal_logits_are_no_lottery(temperature):
    logits = torch.zeros(1, 50)

    assert {next_tokens(logits, [Row(prompt=[1], temperature=temperature)])[0][0].id for _ in range(50)} == {0}


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.0, {1}), (0.49, {1}), (0.51, {1, 3}), (0.79, {1, 3}), (1.0, {0, 1, 2, 3})]
)
def test_top_p_keeps_the_fewest_tokens_that_reach_it(top_p, kept):
    assert set(frequencies(temperature=1.0, top_p=top_p)) == kept


def test_each_row_has_its_own_sampling():
    torch.manual_seed(1)
    rows = [Row(prompt=[1], temperature=1.0), Row(prompt=[1]), Row(prompt=[1], temperature=1.0, top_p=0.6)] * 200
    tokens = [token.id for token in chosen(LIKELY_FIRST, *rows)]

    assert set(tokens[0::3]) == {0, 1, 2, 3}
    assert set(tokens[1::3]) == {1}
    assert set(tokens[2::3]) == {1, 3}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_row_whose_logits_are_not_finite_has_no_token_and_the_others_do(temperature, broken):
    logits = torch.tensor([LIKELY_FIRST, [broken, *LIKELY_FIRST[1:]]])

    tokens, _ = next_tokens(logits, [Row(prompt=[1], temperature=temperature)] * 2)
    assert tokens[0] is not None
    assert tokens[1] is None


def test_logprobs_are_the_models_own_whatever_the_sampling():
    rows = [
        Row(prompt=[1], top_logprobs=2, temperature=5.0, top_p=0.1),
        Row(prompt=[1], top_logprobs=0),
        Row(prompt=[1]),
    ]
    sampled, greedy, without = chosen(LIKELY_FIRST, *rows)

    assert sampled.logprob == pytest.approx(math.log(0.5))
    assert [id_ for id_, _ in sampled.alternatives] == [1, 3]
    assert [logprob for _, logprob in sampled.alternatives] == pytest.approx([math.log(0.5), math.log(0.3)])
    assert (greedy.logprob, greedy.alternatives) == (pytest.approx(math.log(0.5)), ())
    assert without == Token(id=1)


def test_padding_goes_to_the_left():
    ids, mask = pad_left([[5, 6, 7], [8]], 0, "cpu")

    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


class Bytes:
    """A token is a byte of UTF-8; 256 is a special token."""

    def decode(self, ids, *, skip_special_tokens):
        assert skip_special_tokens
        return bytes(id_ for id_ in ids if id_ < 256).decode(errors="replace")


def detokenized(ids) -> list[str]:
    text = Detokenizer(Bytes())
    return [*(text.add(id_) for id_ in ids), text.rest()]


def test_text_comes_as_soon_as_its_character_is_complete():
    assert detokenized("a你b".encode()) == ["a", "", "", "你", "b", ""]


def test_an_incomplete_character_comes_at_the_end():
    assert detokenized("a你".encode()[:-1]) == ["a", "", "", "\ufffd"]


def test_special_tokens_have_no_text():
    assert detokenized([97, 256, 98, 256]) == ["a", "", "b", "", ""]


def test_the_parts_together_are_the_complete_text():
    generator = torch.Generator().manual_seed(3)
    for _ in range(50):
        ids = torch.randint(0, 257, (60,), generator=generator).tolist() + list("你好, wörld".encode())
        assert "".join(detokenized(ids)) == Bytes().decode(ids, skip_special_tokens=True)


class WordPieces:
    """A tokenizer that puts spaces between words, none before the first."""

    def decode(self, ids, *, skip_special_tokens):
        return " ".join("abcdefgh"[id_] for id_ in ids)


def test_a_space_before_a_word_is_not_lost():
    text = Detokenizer(WordPieces())

    assert [text.add(id_) for id_ in range(4)] == ["a", " b", " c", " d"]
