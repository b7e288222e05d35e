"""What the engine's and Docker's own words become. No engine."""

import pytest

from image.engine.connection import read_push_event, split_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("ft:1", ("ft", "1")),
        ("ft", ("ft", "latest")),
        ("localhost:5000/team/ft", ("localhost:5000/team/ft", "latest")),
        ("localhost:5000/team/ft:1", ("localhost:5000/team/ft", "1")),
        ("r.example/ft@sha256:abc", ("r.example/ft", "sha256:abc")),
    ],
)
def test_references_are_taken_apart(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


def test_both_stores_tell_the_digest() -> None:
    overlay2 = read_push_event({"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 1}})
    containerd = read_push_event({"status": f"1: digest: {DIGEST} size: 3786"})
    assert overlay2.digest == containerd.digest == DIGEST


def test_an_error_event_has_the_engines_own_words() -> None:
    event = read_push_event({"errorDetail": {"message": "unauthorized: no"}, "error": "unauthorized: no"})
    assert event.error == "unauthorized: no"
