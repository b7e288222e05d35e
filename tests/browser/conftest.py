"""A real Chromium, and what drives it. Nothing here is skipped: what is missing is installed, or the tests fail."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from toolkit.compare.texts import LANGUAGES

HERE = Path(__file__).parent
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # the system's, which Node alone does not read
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def carried_out(*command: str) -> str:
    trusted = {"NODE_EXTRA_CA_CERTS": str(CERTIFICATES)} if CERTIFICATES.is_file() else {}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**trusted, **os.environ})
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module", name="language", params=LANGUAGES)
def _language(request):
    return request.param


def expect_a_sound_file(seen: list[dict]) -> None:
    """At each width and in each colour scheme: nothing loaded, nothing run, nothing cut off, nothing inaccessible."""
    looks = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
    assert [(one["width"], one["colorScheme"]) for one in seen] == looks
    for one in seen:
        assert [request.partition("://")[0] for request in one["requests"]] == ["file"]
        assert (one["scripts"], one["images"], one["ran"], one["errors"]) == (0, 0, False, [])
        assert "<script>window.ran = 1</script>" in one["text"]
        assert one["wide"] <= one["width"]
        assert one["violations"] == []


@pytest.fixture(scope="session", name="browser")
def _browser() -> None:
    """Debian's Chromium and Node, and the two packages of package-lock.json."""
    missing = [] if Path(CHROMIUM).is_file() else ["chromium", "fonts-noto-cjk"]
    missing += [] if shutil.which("npm") else ["nodejs", "npm"]
    if missing:
        assert os.geteuid() == 0, f"As root: apt-get install {' '.join(missing)}; or name a browser with CHROMIUM."
        carried_out("apt-get", "update", "--quiet")
        carried_out("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing)
    carried_out("npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", str(HERE))


@pytest.fixture(scope="session", name="look")
def _look(browser):
    """Opens a page at two widths in two colour schemes, and returns what was seen, a dictionary each."""

    def look(file: Path) -> list[dict]:
        pictures = os.environ.get("PICTURES")
        folder = [pictures] if pictures else []
        return json.loads(carried_out("node", str(HERE / "look.mjs"), str(file), *folder))

    return look


@pytest.fixture(scope="session", name="talk")
def _talk(browser):
    """Talks to the chat page at an address, as a user with that key, and returns what was seen, a dictionary each."""

    def talk(address: str, key: str) -> list[dict]:
        pictures = os.environ.get("PICTURES")
        folder = [pictures] if pictures else []
        return json.loads(carried_out("node", str(HERE / "talk.mjs"), address, key, *folder))

    return talk
