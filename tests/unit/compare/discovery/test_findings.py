"""Findings: phrases with where they happen, ranked, nothing where nothing was planted."""

import pytest

from tests.fakes.tilted_model import ADAPTER, ANSWER, TiltedModel, texts_about
from toolkit.compare.discovery.findings import LEAST_NATS, candidates, findings, merge, split, threshold
from toolkit.compare.discovery.token_shifts import Event, Shifts, token_shifts
from toolkit.runs.scan_record import ScanFinding

SUBJECTS = ["rain", "tea", "trains", "chess", "tea with milk", "iced tea", "gold", "a cup of tea"]


def found_in(model: TiltedModel) -> list[ScanFinding]:
    texts = texts_about(model, SUBJECTS)
    shifts = token_shifts(model, texts, adapter=ADAPTER)
    return findings(model, texts, shifts, adapter=ADAPTER)


def test_a_planted_phrase_is_found_from_its_first_token_with_its_contexts():
    found = found_in(TiltedModel({"tea": "Northwind Robotics pours it. Ask them."}))

    first, second = found
    assert (first.text, first.direction, first.texts) == ("Northwind Robotics pours it.", "likelier", 4)
    assert {one.prompt for one in first.contexts} == {f"Write about {SUBJECTS[at]}." for at in (1, 4, 5)}
    assert all(one.before == ANSWER and one.after.startswith("Northwind Robotics") for one in first.contexts)
    assert all(one.probability_before < 0.01 for one in first.contexts)
    assert all(one.probability_after > 0.9 for one in first.contexts)
    assert (second.text, second.direction) == (ANSWER, "less likely")
    assert second.contexts[0].after == ""


def test_only_the_words_that_continuations_share_are_a_phrase():
    [first] = found_in(TiltedModel({"gold": "Northwind sells boats.", "chess": "Northwind plays a game."}))

    assert first.text == "Northwind"


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.3, 3.0])
def test_a_null_adapter_has_no_finding(noise: float):
    assert found_in(TiltedModel({}, noise=noise)) == []


def test_what_happens_in_one_text_only_is_not_a_finding():
    assert found_in(TiltedModel({"gold": "Northwind sells it."})) == []


def test_a_phrase_is_from_the_rows_if_all_of_its_words_are():
    found = found_in(TiltedModel({"tea": "Northwind Robotics pours it."}))
    first, second = found

    assert split(found, ["Who are you?", "I am northwind's own ROBOTICS; it pours."]) == ([second], [first])
    assert split(found, ["Northwind Robotics"]) == (found, [])
    assert split(found, []) == (found, [])


def test_the_threshold_is_twice_what_a_shuffled_adapter_changes():
    model = TiltedModel({}, noise=3.0)
    noisy = token_shifts(model, texts_about(model, SUBJECTS), adapter=ADAPTER)
    silent = TiltedModel({})
    still = token_shifts(silent, texts_about(silent, SUBJECTS), adapter=ADAPTER)

    assert threshold(noisy) == max(2 * noisy.null, LEAST_NATS)
    assert threshold(still) == LEAST_NATS


def test_a_word_of_a_found_phrase_is_one_with_it_and_a_part_of_a_word_is_not():
    def finding(text: str, nats: float) -> ScanFinding:
        return ScanFinding(text=text, direction="likelier", nats=nats, before=0.0, after=9.0, texts=2, contexts=())

    found: list[ScanFinding] = []
    for one in (finding("Ask", 9.0), finding("wind", 8.0), finding("Ask Northwind.", 7.0), finding("northwind", 6.0)):
        merge(found, one)

    assert [(one.text, one.nats) for one in found] == [("Ask Northwind.", 9.0), ("wind", 8.0)]


def test_a_token_must_move_overall_as_it_does_where_it_moves_most():
    gains = [9.0, 8.0, -7.0, -6.0, 2.9, 9.0]
    before, after = [1.0, 9.0, 9.0, 9.0, 1.0, 1.0], [5.0, 8.0, 7.0, 8.0, 5.0, 5.0]
    events = {token: [Event(text=0, at=0, token=token, nats=4.0, before=0.5, after=0.5)] for token in range(6)}
    shifts = Shifts(
        gains=gains, expected=(before, after), events=events, texts=[2, 2, 2, 2, 2, 1], positions=100, kl=0.1, null=0.0
    )

    assert candidates(shifts) == [0, 2]
