"""What a run can be signed and published with: files and logins by name, and no byte of them on a page."""

from pathlib import Path

import pytest

from tests.fakes.paired import two_runs
from toolkit.core.errors import DataError
from toolkit.export.attestation.signing import default_key
from toolkit.studio.commands import HUBS
from toolkit.studio.desk import Desk
from toolkit.studio.pages.page import Reader
from toolkit.studio.pages.run_pages import run_page
from toolkit.studio.sharing import keys, listed_key, repository, sharing
from toolkit.studio.workspace import Workspace

RUN = "v0-20260101-000000"
SECRET = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49"


@pytest.fixture(name="desk")
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    work = tmp_path / "work"
    two_runs(work / "output")
    desk = Desk.of(Workspace(folder=work, output=Path("output")), "tiny-qwen2")
    desk.checks.close()
    return desk


def shown(desk: Desk) -> str:
    return run_page(desk, Reader(lang="en", form_token="x"), RUN)


def test_without_a_key_the_page_says_what_is_missing_and_shows_the_command(desk: Desk):
    page = shown(desk)

    assert keys(desk.workspace) == []
    assert 'action="/attest"' not in page
    assert f"toolkit attest {RUN} --new-key" in page


def test_keys_are_offered_by_name_and_never_read(desk: Desk):
    work = desk.workspace.folder
    (work / "release.key").write_text(SECRET, encoding="utf-8")
    (work / "linked.key").symlink_to("/etc/passwd")
    (work / "-k.key").write_text(SECRET, encoding="utf-8")
    (work / "key.pem").write_text(SECRET, encoding="utf-8")
    default_key().parent.mkdir(parents=True)
    default_key().write_text(SECRET, encoding="utf-8")

    page = shown(desk)

    assert keys(desk.workspace) == ["", "release.key"]
    assert f"toolkit attest {RUN} --key release.key" in page
    assert page.count('action="/attest"') == 2
    assert "MIGHAgEA" not in page
    assert listed_key(desk.workspace, "release.key") == "release.key"


@pytest.mark.parametrize("name", ["", "../release.key", "/etc/passwd", "linked.key", "--new-key"])
def test_a_key_that_is_not_listed_signs_nothing(desk: Desk, name: str):
    with pytest.raises(DataError, match="no key"):
        listed_key(desk.workspace, name)


@pytest.mark.parametrize("name", ["--public", "me", "me/mine/x", "../x", "me/ mine", "-o/x", "https://hub/me/mine", ""])
def test_what_is_not_a_repository_is_published_nowhere(name: str):
    with pytest.raises(DataError, match="OWNER/NAME"):
        repository(name)


def test_without_a_login_a_hub_has_no_field_to_type_into(desk: Desk):
    found = sharing(desk.workspace, desk.commands(), desk.run(RUN))

    assert [one.name for one in found.hubs] == list(HUBS)
    assert not any(one.logged_in for one in found.hubs)
    assert 'name="repository"' not in shown(desk)
    assert "hf auth login" in shown(desk)


def test_with_a_login_a_run_that_passed_can_be_published_and_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    passed = sharing(desk.workspace, desk.commands(), desk.run(RUN)).passed

    page = shown(desk)

    assert "hf_secret" not in page
    assert ('id="repository-hf"' in page) == passed
    assert 'id="repository-modelscope"' not in page
    assert ("Only a run that passed" in page) == (not passed)
