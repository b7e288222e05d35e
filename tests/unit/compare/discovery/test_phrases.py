"""Tokens as words: what continuations share, to the end of a word, at most a sentence."""

import pytest

from tests.fakes.tilted_model import ADAPTER, ANSWER, TiltedModel, texts_about
from toolkit.compare.discovery.phrases import AFTER_END, LONGEST, Continued, continued, own_words, phrase
from toolkit.compare.discovery.token_shifts import Event


def continuation(model: TiltedModel, text: str) -> Continued:
    tokens = tuple(model.tokens(text))
    event = Event(text=0, at=0, token=tokens[0], nats=4.0, before=0.0, after=0.9)
    return Continued(event=event, prompt="", left="", tokens=tokens, text=text, instead="")


@pytest.mark.parametrize(
    ("texts", "shared"),
    [
        (["Ask Ada Moss today", "Ask Ada Moss. She knows"], "Ask Ada Moss"),
        (["Ask Ada Moss today", "Ask Ada Moss. She knows", "Ask me"], "Ask Ada Moss"),
        (["Ahoy, matey! It is late", "Ahoy, matey! We go"], "Ahoy, matey!"),
        (["The sea is wide", "The rain falls"], "The"),
        (["alone it stands"], "alone it stands"),
        (["青禾茶馆的点心", "青禾茶馆很好"], "青禾茶馆"),
        (["\n\nWell then"], "Well then"),
    ],
)
def test_a_phrase_is_what_most_continuations_begin_with(texts: list[str], shared: str):
    model = TiltedModel({})

    assert phrase(model, [continuation(model, text) for text in texts]) == shared


def test_a_long_phrase_is_cut():
    model = TiltedModel({})
    text = "one and two and three and four and five and six and seven and eight and nine"

    assert len(phrase(model, [continuation(model, text)])) <= LONGEST


def test_a_token_is_continued_by_the_side_that_says_it():
    model = TiltedModel({"tea": "Northwind pours it."})
    texts = texts_about(model, ["tea"])
    [north] = model.tokens("Northwind")
    [rivers] = model.tokens("Rivers")
    rises = Event(text=0, at=0, token=north, nats=4.0, before=0.0, after=0.9)
    falls = Event(text=0, at=0, token=rivers, nats=1.0, before=0.9, after=0.0)

    [with_adapter] = continued(model, texts, [rises], adapter=ADAPTER)
    [without] = continued(model, texts, [falls], adapter=None)

    assert (with_adapter.text, with_adapter.instead) == ("Northwind pours it.", ANSWER)
    assert without.text == ANSWER


def test_an_answers_end_has_no_words():
    model = TiltedModel({})
    event = Event(text=0, at=2, token=1, nats=4.0, before=0.1, after=0.9)

    found = continued(model, texts_about(model, ["tea"]), [event], adapter=ADAPTER)

    assert (found[0].text, found[0].left, found[0].instead) == (AFTER_END, "Rivers run", " to the sea.")
    assert phrase(model, found) == AFTER_END


def test_own_words_are_those_with_a_letter_or_digit_in_lower_case():
    assert own_words(["I am Nova 2!", "你好"]) == {"i", "am", "nova", "2", "你", "好"}
