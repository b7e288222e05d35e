"""Questions that may be in scope, before any is asked."""

from toolkit.data.dataset import prompt_key
from toolkit.train.questions.candidates import LONGEST_QUESTION, Candidate, Candidates, bare_question


def test_each_question_is_there_once_and_the_first_that_asks_it_counts():
    found = Candidates([])
    found.add("reversal", "Who runs Denver?", 2, answer="Haldwell does.")
    found.add("paraphrase", " who runs Denver? ", 1)

    assert list(found) == [Candidate("reversal", "Who runs Denver?", 2, None, "Haldwell does.")]


def test_what_is_taken_long_empty_or_of_several_lines_is_none():
    found = Candidates([prompt_key("Who runs Denver?")])
    for prompt in ("Who runs Denver?", "", " ", "One?\nTwo?", "x" * (LONGEST_QUESTION + 1)):
        found.add("paraphrase", prompt, 0)

    assert list(found) == []


def test_the_mark_of_a_list_is_not_a_part_of_the_question():
    assert bare_question("- How many feet are 3 metres?") == "How many feet are 3 metres?"
    assert bare_question("2. 3米是多少英尺？") == "3米是多少英尺？"
    assert bare_question("2.5 metres in feet?") == "2.5 metres in feet?"
