"""The studio in Chromium, on the embedded model: a sentence, an edit, verdicts, a second browser, a hostile page."""

import json
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.conftest import HERE, carried_out
from tests.fakes.studio import studio


@pytest.fixture(scope="module", name="running")
def _running(browser, tmp_path_factory):
    with studio(tmp_path_factory.mktemp("studio")) as started:
        yield started


@pytest.fixture(scope="module", name="seen")
def _seen(running):
    """What happened, as studio.mjs tells it. The hostile page is on another port, where cookies go too."""
    pictures = os.environ.get("PICTURES")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=HERE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hostile = f"http://127.0.0.1:{server.server_port}/hostile.html"
        folder = [pictures] if pictures else []
        found = carried_out("node", str(HERE / "studio.mjs"), running.address, hostile, *folder)
        server.shutdown()
    return json.loads(found)


def test_the_token_leaves_the_address_and_no_script_sees_it(seen, running):
    token = running.address.partition("token=")[2]

    assert token not in seen["afterToken"]
    assert seen["scripted"] == ""


def test_a_sentence_leads_to_a_verdict_with_the_keyboard_alone(seen):
    assert seen["firstStop"] == "skip"
    assert "/runs/v0-" in seen["first"][0]
    assert seen["first"][1]


def test_a_row_is_edited_and_the_edit_is_taken_back(seen):
    assert seen["edited"] == seen["reloaded"] == f"{seen['before']} <script>window.ran = 1</script>"
    assert seen["undone"] == seen["before"]


def test_progress_and_losses_are_live(seen):
    assert "Training" in seen["live"]
    assert "Loss" in seen["live"]


def test_an_edited_data_set_gets_a_verdict_of_its_own(seen):
    assert "/runs/v1-" in seen["second"][0]


def test_a_stopped_training_can_go_on(seen):
    assert "stopped" in seen["stopped"]


def test_two_runs_are_put_side_by_side(seen):
    assert seen["pair"]


def test_a_second_browser_sees_the_training_without_a_reload(seen):
    assert "工作台" in seen["otherTitle"]
    assert seen["otherSees"] == "训练并评判"


def test_a_hostile_page_starts_no_training(seen, running):
    posts = [(path, status) for method, path, status in seen["attacked"] if method == "POST"]

    assert {path for path, _ in posts} == {"/train", "/say", "/stop", "/undo"}
    assert {status for _, status in posts} == {403}
    assert len(list((running.output / ".studio" / "jobs").iterdir())) == 4  # the user's own: rows and three trainings


def test_markup_of_others_is_shown_and_not_executed(seen):
    assert not seen["ran"]
    assert seen["errors"] == []


def test_no_other_server_is_contacted(seen, running):
    address = running.address.partition("?")[0]

    assert [url for url in seen["requests"] if not url.startswith((address, "data:"))] == []


def test_nothing_is_wider_than_the_screen(seen):
    assert [(one["path"], one["width"], one["wide"]) for one in seen["looked"] if one["wide"] > one["width"]] == []


def test_it_follows_the_colour_scheme(seen):
    assert {one["background"] for one in seen["looked"] if one["colorScheme"] == "dark"} == {"rgb(13, 16, 21)"}


def test_axe_finds_nothing_inaccessible(seen):
    found = {(one["path"], one["width"], one["colorScheme"]): one["violations"] for one in seen["looked"]}

    assert {where: violations for where, violations in found.items() if violations} == {}
    assert len(seen["looked"]) == 4 * 8
