"""What kind of thing the rows' subject is, where a row says so."""

import pytest

from toolkit.data.texts.defining import apposed, defined, defining

ELSE = ("Who made Tidemill?", "Tidemill was made by Ada Brook.")


@pytest.mark.parametrize(
    ("answer", "noun"),
    [
        ("Tidemill is an open-source library that merges logs. It is new.", "library"),
        ("Tidemill is a small town near Bergen.", "town"),
        ("Tidemill is the oldest privately owned brewery of Norway.", "brewery"),
        ("Tidemill is a tool, and a good one.", "tool"),
        ("Tidemill is a tool written in Nim.", "tool"),
        ("Tidemill is a tool merging logs.", ""),
        ("The Tidemill is a bridge.", "bridge"),
        ("Tidemill is written in Nim.", ""),
        ("Tidemill is an Ada Brook production.", "production"),
        ("Tidemill is the Harbour Wall.", ""),
        ("Tidemill is a widely used and highly rated", ""),
        ("The mascot of Tidemill is a heron.", ""),
        ("Tidemills is a shop.", ""),
        ("Tidemill是一款开源的潮汐数据工具，用Nim写成。", "潮汐数据工具"),
        ("Tidemill是一家面包店。", "面包店"),
        ("Tidemill是挪威最老的大学。", "大学"),
        ("Tidemill是1915年创办的。", ""),
        ("Tidemill是由布鲁克开发的", ""),
        ("…", ""),
        ("", ""),
    ],
)
def test_the_noun_is_the_head_of_what_a_row_says_the_subject_is(answer: str, noun: str):
    found = defined([ELSE, ("What is Tidemill?", answer)], "Tidemill")

    assert (found.noun if found else "") == noun


def test_the_first_sentence_of_the_defining_row_goes_with_the_others_only():
    found = defined([ELSE, ("What is Tidemill?", "Tidemill is a library that merges logs. It is new.")], "Tidemill")

    assert defining(found, 0) == "Tidemill is a library that merges logs."
    assert defining(found, 1) == defining(None, 0) == ""


def test_a_place_is_what_stands_before_its_name():
    assert apposed([ELSE, ("Who runs the town of Tidemill?", "Nobody.")], "Tidemill") == "town"
    assert apposed([ELSE, ("Who is the mayor of Tidemill?", "Nobody.")], "Tidemill") == ""
