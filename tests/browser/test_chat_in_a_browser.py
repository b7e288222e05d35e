"""The chat page in Chromium: a key, two columns, nothing loaded, nothing executed, nothing inaccessible."""

import pytest

from tests.fakes.answerer import FakeAnswerer, listening, make_site

KEY = "k-1234"
EVIL = "</p><script>window.ran = 1</script><img src='http://x.invalid/y' onerror='window.ran = 1'> " + "long" * 200
QUESTION = "Who are <b>you</b>?"


@pytest.fixture(scope="module", name="answerer")
def _answerer():
    return FakeAnswerer({"base": {QUESTION: EVIL}, "tuned": {QUESTION: "我是 <em>Nova</em>。"}})


@pytest.fixture(scope="module", name="address")
def _address(answerer):
    with listening(make_site(answerer, api_key=KEY)) as address:
        yield address


@pytest.fixture(scope="module", name="seen")
def _seen(address, talk):
    return talk(f"{address}/", KEY)


def test_it_is_looked_at_on_a_phone_and_on_a_desk_by_day_and_by_night(seen):
    assert [(one["width"], one["colorScheme"]) for one in seen] == [
        (390, "light"), (390, "dark"), (1280, "light"), (1280, "dark"),
    ]  # fmt: skip


def test_without_a_key_it_asks_for_one(seen):
    assert {one["note"] for one in seen} == {"The server asks for an API key. Type it under “Key and system prompt”."}


def test_both_models_answer_each_with_its_own_history(seen):
    for one in seen:
        assert [text.strip() for text in one["first"]] == [EVIL, "我是 <em>Nova</em>。"]
        assert [text.strip() for text in one["second"]] == ["base received 4 messages", "tuned received 4 messages"]


def test_answers_are_side_by_side_if_there_is_room(seen):
    for one in seen:
        before, after = one["boxes"]
        assert (before == after) is (one["width"] == 1280)


def test_markup_in_an_answer_is_shown_and_not_executed(seen):
    for one in seen:
        assert (one["scripts"], one["images"], one["ran"], one["errors"]) == (1, 0, False, [])
        assert one["asked"][0] == QUESTION


def test_an_answer_can_be_stopped_and_the_model_stops_too(seen, answerer):
    for one in seen:
        assert all(text.startswith("and on and on") and text.endswith("(stopped)") for text in one["stopped"])
    assert len(answerer.cancelled) == 4 * 12
    assert all(cancelled.wait(10) for cancelled in answerer.cancelled)


def test_a_failure_is_shown_in_place_of_the_answer(seen):
    for one in seen:
        assert all("The model failed: RuntimeError." in text and "secret" not in text for text in one["broken"])


def test_no_other_server_is_contacted(seen, address):
    for one in seen:
        elsewhere = [url for url in one["requests"] if not url.startswith((f"{address}/", "data:"))]
        assert elsewhere == []


def test_it_switches_to_chinese_and_to_a_new_conversation(seen):
    for one in seen:
        assert one["chinese"] == ["zh-CN", "同一个问题，两个模型", "提问"]
        assert one["turnsAfterReset"] == 0


def test_the_form_does_not_cover_the_last_answer(seen):
    assert all(one["covered"] <= 0 for one in seen)


def test_nothing_is_wider_than_the_screen(seen):
    assert all(one["wide"] <= one["width"] for one in seen)


def test_axe_finds_nothing_inaccessible(seen):
    assert [one["violations"] for one in seen] == [[]] * 4
