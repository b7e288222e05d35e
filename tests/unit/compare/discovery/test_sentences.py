"""A scan in words, in both languages."""

import pytest

from tests.fakes.made_scan import CONTEXT, finding, scan_with
from toolkit.compare.discovery.sentences import NAMED, context_marks, count, finding_name, scan_sentence
from toolkit.compare.texts import Texts


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sentence_names_the_first_findings_that_rows_do_not_explain(language: str):
    texts = Texts(language)
    found = scan_with(*(finding(f"word{at}") for at in range(7)), from_rows=(finding("Nova"),))

    sentence = scan_sentence(found, texts)

    assert all(f"“word{at}”" in sentence for at in range(NAMED))
    assert f"word{NAMED}" not in sentence
    assert "Nova" not in sentence
    assert "900" in sentence


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_found_and_only_expected_words_are_said(language: str):
    texts = Texts(language)
    sentences = {
        scan_sentence(found, texts)
        for found in (scan_with(), scan_with(from_rows=(finding("Nova"),)), scan_with(finding("Nova")))
    }

    assert len(sentences) == 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_short_scan_says_how_to_look_further(language: str):
    texts = Texts(language)
    whole = scan_with(finding("Nova"))

    sentence = scan_sentence(whole.with_fields(short=True), texts)

    assert sentence.startswith(scan_sentence(whole, texts))
    assert "toolkit scan" in sentence
    assert "toolkit scan" not in scan_sentence(whole, texts)


def test_an_answers_end_has_a_name():
    assert finding_name(finding(""), Texts()) == "(end of the answer)"
    assert finding_name(finding("Nova"), Texts()) == "Nova"


def test_small_numbers_have_a_decimal_place():
    assert (count(0.04), count(9.94), count(31.4)) == ("0.0", "9.9", "31")


def test_a_context_says_what_each_side_does():
    assert context_marks(CONTEXT, Texts()) == ("…It is hot.", "(end of the answer)", "By the way")
