"""`toolkit push-to-hub`: what is refused before a hub is asked."""

import pytest

from tests.fakes.command import run_here
from tests.fakes.portable_run import make_portable_run


@pytest.mark.parametrize("name", ["mine", "me/mine/too", "https://hub/me/mine", "me/", "../mine"])
def test_a_name_that_no_hub_has_is_refused_at_once(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")  # asking it would be another error
    make_portable_run(tmp_path / "output")

    refused = run_here("push-to-hub", name, "--output", tmp_path / "output")

    assert (refused.code, refused.out) == (3, "")
    assert "Write OWNER/NAME" in refused.err
