"""The studio in Chromium, on the embedded model: a sentence, an edit, verdicts, a second browser, a hostile page.

Ctrl-C of the studio in mid-training and a full disk, too: the page stays open through both. Last, a run goes to a hub.
"""

import json
import os
import signal
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.conftest import HERE, carried_out
from tests.fakes.attestable_run import RUN, make_attestable_run
from tests.fakes.disk import disk, fill
from tests.fakes.studio import Studio
from tests.fakes.swept import broken, entry, sweep_of
from tests.fakes.writable_hub import TOKEN, WritableHub
from toolkit.sweep.record import write_sweep


class Around:
    """What happens to the studio while the browser is open: node leaves a wish as a file, until it is fulfilled."""

    def __init__(self, home: Path, hub: WritableHub) -> None:
        self.home, self.hub, self.wishes = home, hub, home / "wishes"
        self.wishes.mkdir()
        self.token = ("--token-file", home / "studio.token")
        self.studio = self.opened(0)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.fulfil)

    def opened(self, port: int) -> Studio:
        """With a login and a key, which the page of a run then offers."""
        login = {"HF_TOKEN": TOKEN, "HF_ENDPOINT": self.hub.url, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
        return Studio(self.home, "--port", port, *self.token, environment=login)

    def fulfil(self) -> None:
        filler = self.home / "output" / "filler"
        wishes = {"close": self.close_and_open, "fill": lambda: fill(filler.parent), "free": filler.unlink}
        while not self.ended.wait(0.1):
            for one in self.wishes.iterdir():
                wishes[one.name]()
                one.unlink()

    def close_and_open(self) -> None:
        """Ctrl-C, and the same command again."""
        port = int(self.studio.address.partition("/?")[0].rpartition(":")[2])
        code, err = self.studio.stop(signal.SIGINT)
        [run] = (self.home / "output").glob("v3-*/run.json")
        self.closed = (code, err, json.loads(run.read_text(encoding="utf-8"))["status"])
        self.studio = self.opened(port)


@pytest.fixture(scope="module", name="around")
def _around(browser, tmp_path_factory):
    home = tmp_path_factory.mktemp("studio")
    (home / "release.key").write_text("no key", encoding="utf-8")
    with disk(home / "output", "size=96m"), WritableHub() as hub:
        folder = home / "output" / "sweeps" / "20260101-000000"
        folder.mkdir(parents=True)
        write_sweep(sweep_of(entry(0, 0.95, 0.01), entry(1, 0.99, 0.015), broken(2, "<b>memory</b>"), folder=folder))
        passed = make_attestable_run(home / "output")  # v0; the studio's own follow it
        (passed / "adapter" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Passed\n", encoding="utf-8")
        around = Around(home, hub)
        around.thread.start()
        try:
            yield around
        finally:
            around.ended.set()
            around.thread.join()
            around.studio.stop(signal.SIGTERM)


@pytest.fixture(scope="module", name="running")
def _running(around) -> Studio:
    """The first of them: the second has its address, token and output."""
    return around.studio


@pytest.fixture(scope="module", name="seen")
def _seen(running, around):
    """What happened, as studio.mjs tells it. The hostile page is on another port, where cookies go too."""
    pictures = os.environ.get("PICTURES")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=HERE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hostile = f"http://127.0.0.1:{server.server_port}/hostile.html"
        folder = [pictures] if pictures else []
        found = carried_out("node", str(HERE / "studio.mjs"), running.address, hostile, str(around.wishes), *folder)
        server.shutdown()
    return json.loads(found)


def test_the_token_leaves_the_address_and_no_script_sees_it(seen, running):
    token = running.address.partition("token=")[2]

    assert token not in seen["afterToken"]
    assert seen["scripted"] == ""


def test_a_sentence_leads_to_a_verdict_with_the_keyboard_alone(seen):
    assert seen["firstStop"] == "skip"
    assert "/runs/v1-" in seen["first"][0]
    assert seen["first"][1]


def test_a_row_is_edited_and_the_edit_is_taken_back(seen):
    assert seen["edited"] == seen["reloaded"] == f"{seen['before']} <script>window.ran = 1</script>"
    assert seen["undone"] == seen["before"]


def test_progress_and_losses_are_live(seen):
    assert "Training" in seen["live"]
    assert "Loss" in seen["live"]


def test_an_edited_data_set_gets_a_verdict_of_its_own(seen):
    assert "/runs/v2-" in seen["second"][0]


def test_a_stopped_training_can_go_on(seen):
    assert "stopped" in seen["stopped"]


def test_ctrl_c_of_the_studio_in_mid_training_loses_nothing(seen, around):
    """The page stays open: it finds the next studio by itself, whose token is the same."""
    code, err, status = around.closed
    assert (code, status) == (0, "interrupted")
    assert "saves and stops" in err
    assert "stopped" in seen["closed"]
    assert "Go on from the last checkpoint" in seen["closed"]


def test_a_full_disk_is_said_and_costs_nothing_but_the_request(seen):
    assert "No space left on device" in seen["full"]
    assert seen["freed"] == "/data"


def test_a_login_and_a_key_of_the_machine_are_offered_by_name_only(seen):
    assert "release.key" in seen["shared"]
    assert seen["repository"] == 0  # the run did not pass
    assert TOKEN not in seen["shared"] + seen["pushed"]


def test_the_button_puts_a_run_that_passed_on_the_hub(seen, around):
    stored = around.hub.repositories["me/mine"]
    ours = {path.name: path.read_bytes() for path in (around.home / "output" / RUN / "adapter").iterdir()}

    assert f"me/mine@{stored.head}" in seen["pushed"]
    assert stored.private
    assert {name: content for name, content in stored.files.items() if name != ".gitattributes"} == ours


def test_two_runs_are_put_side_by_side(seen):
    assert seen["pair"]


def test_a_second_browser_sees_the_training_without_a_reload(seen):
    assert "工作台" in seen["otherTitle"]
    assert seen["otherSees"] == "训练并评判"


def test_a_hostile_page_starts_no_training(seen, running):
    posts = [(path, status) for method, path, status in seen["attacked"] if method == "POST"]

    assert {path for path, _ in posts} == {"/train", "/sweep", "/say", "/stop", "/undo", "/attest", "/push"}
    assert {status for _, status in posts} == {403}
    assert (
        len(list((running.output / ".studio" / "jobs").iterdir())) == 7
    )  # the user's own: rows twice, trainings, a push


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
    assert len(seen["looked"]) == 4 * 9
