"""A request that fails costs nothing but itself, and the page says what to do: over a real port."""

from pathlib import Path

import httpx
import pytest

from tests.fakes.answerer import listening
from tests.fakes.paired import two_runs
from tests.fakes.studio_site import TOKEN, studio_site
from toolkit.studio.desk import NOTES
from toolkit.studio.guard import form_token
from toolkit.studio.workspace import STATE

NOTE = {"form_token": form_token(TOKEN), "run": "v0-20260101-000000", "note": "x"}


@pytest.fixture(name="user")
def _user(tmp_path: Path):
    two_runs(tmp_path / "output")
    site = studio_site(tmp_path)
    site.desk.checks.close()
    with listening(site) as address, httpx.Client(base_url=address, trust_env=False) as client:
        client.get("/", params={"token": TOKEN})
        yield client


def test_what_cannot_be_written_is_said_in_the_readers_language_and_works_later(user, tmp_path: Path):
    in_the_way = tmp_path / "output" / STATE / NOTES
    in_the_way.mkdir()
    (in_the_way / "x").touch()
    headers = {"Origin": str(user.base_url), "Accept-Language": "zh-CN"}

    failed = user.post("/note", data=NOTE, headers=headers)
    (in_the_way / "x").unlink()
    in_the_way.rmdir()
    done = user.post("/note", data=NOTE, headers=headers)

    assert failed.status_code == 507
    assert "文件无法读写：Is a directory。" in failed.text
    assert (done.status_code, done.headers["location"]) == (303, "/runs/v0-20260101-000000")


def test_the_page_of_a_run_is_read_again_by_every_page_that_shows_it(user, tmp_path: Path):
    """The frame's address changes with the report."""
    report = tmp_path / "output" / "v0-20260101-000000" / "compare" / "report.html"
    report.write_text("first", encoding="utf-8")
    first = user.get("/runs/v0-20260101-000000").text.partition("/report?")[2][:19]
    report.write_text("second", encoding="utf-8")
    second = user.get("/runs/v0-20260101-000000").text.partition("/report?")[2][:19]

    assert first.isdigit()
    assert first != second
