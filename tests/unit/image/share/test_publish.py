"""Pushing, with a registry that fails in every way that one can."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.core.errors import ConfigError, EngineError, RegistryError
from image.core.progress import Progress
from image.engine import ImageInfo, PushEvent
from image.share.publish import PublishConfig, PublishRecord, publish

TARGET = "registry.example/team/ft:1"
DIGEST = "sha256:" + "a" * 64
WEIGHTS = PushEvent(layer="w", status="Pushing", done_bytes=50, total_bytes=100)
WEIGHTS_PUSHED = PushEvent(layer="w", status="Pushed")
CODE_PUSHED = PushEvent(layer="c", status="Pushed")
DONE = PushEvent(status=f"1: digest: {DIGEST} size: 10", digest=DIGEST)


class FakeEngine:
    """Plays back one list of events a push."""

    def __init__(self, *pushes: list[PushEvent], digest: str = DIGEST) -> None:
        self.pushes = list(pushes)
        self.digest = digest

    def find_image(self, reference: str) -> ImageInfo:
        return ImageInfo(
            reference=reference,
            image_id=DIGEST,
            labels={},
            repo_digests=(),
        )

    def tag(self, reference: str, other: str) -> None:
        self.tagged = (reference, other)

    def push(self, reference: str) -> Iterator[PushEvent]:
        yield from self.pushes.pop(0)

    def registry_digest(self, reference: str) -> str:
        return self.digest


def no_attach(*_: object) -> None: ...


def pushed(
    engine: FakeEngine, tmp_path: Path, target: str = TARGET
) -> tuple[PublishRecord, list[float], list[Progress]]:
    waits: list[float] = []
    heard: list[Progress] = []
    config = PublishConfig(image="ft:local", target=target, output=tmp_path)
    published = publish(
        config, notify=lambda _: None, listener=heard.append, engine=engine, pause=waits.append, attach=no_attach
    )
    return published, waits, heard


def test_what_was_sent_is_counted_and_recorded(tmp_path: Path) -> None:
    there = PushEvent(layer="b", status="Layer already exists")
    published, _, heard = pushed(FakeEngine([WEIGHTS, there, WEIGHTS_PUSHED, CODE_PUSHED, DONE]), tmp_path)
    assert (published.layers, published.layers_sent, published.bytes_sent) == (3, 2, 100)
    assert published.digest == DIGEST
    assert [event.done for event in heard if event.task == "all layers"] == [50, 100]
    [record] = json.loads((tmp_path / "published.json").read_text())["published"]
    assert record["digest"] == DIGEST


def test_a_broken_connection_is_taken_up_with_growing_pauses(tmp_path: Path) -> None:
    broken = PushEvent(error="write: broken pipe")
    there = PushEvent(layer="w", status="Layer already exists")
    engine = FakeEngine([WEIGHTS, WEIGHTS_PUSHED, broken], [broken], [there, CODE_PUSHED, DONE])
    published, waits, _ = pushed(engine, tmp_path)
    assert waits == [2, 4]
    assert (published.layers, published.layers_sent) == (2, 2)


def test_a_layer_that_arrives_as_the_connection_breaks_was_sent(tmp_path: Path) -> None:
    there = PushEvent(layer="w", status="Layer already exists")
    engine = FakeEngine([WEIGHTS, PushEvent(error="write: broken pipe")], [there, CODE_PUSHED, DONE])
    published, _, _ = pushed(engine, tmp_path)
    assert (published.layers, published.layers_sent, published.bytes_sent) == (2, 2, 100)


def test_an_uploads_address_is_left_out_of_the_message(tmp_path: Path) -> None:
    error = (
        'failed to copy: failed to do request: Put "http://r.example/v2/ft/blobs/uploads/7?_state=XeqkxL&digest=1": '
        "readfrom tcp 127.0.0.1:1->127.0.0.1:2: write tcp 127.0.0.1:1->127.0.0.1:2: use of closed network connection"
    )
    with pytest.raises(RegistryError) as refused:
        pushed(FakeEngine(*[[PushEvent(error=error)]] * 5), tmp_path)
    assert str(refused.value).startswith(
        f"Could not push {TARGET} after 5 tries: failed to copy: use of closed network connection."
    )


def test_five_broken_connections_are_enough(tmp_path: Path) -> None:
    engine = FakeEngine(*[[PushEvent(error="dial tcp: connection refused")]] * 5)
    with pytest.raises(RegistryError, match=r"after 5 tries.*is up"):
        pushed(engine, tmp_path)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("no basic auth credentials", "docker login registry.example"),
        ("unauthorized: authentication required", "docker login registry.example"),
        ("denied: requested access to the resource is denied", "Check that the name is yours"),
        ("x509: certificate signed by unknown authority", "/etc/docker/certs.d/registry.example/ca.crt"),
        ("received unexpected HTTP status: 413 Request Entity Too Large", "limits a layer's size"),
        ("server gave HTTP response to HTTPS client", "insecure-registries"),
        ("tag does not exist: team/ft:1", "docker images"),
    ],
)
def test_a_refusal_is_not_repeated_and_has_a_remedy(tmp_path: Path, error: str, remedy: str) -> None:
    with pytest.raises(RegistryError, match="Could not push") as refused:
        pushed(FakeEngine([PushEvent(error=error)]), tmp_path)
    assert remedy in refused.value.next
    assert not (tmp_path / "published.json").exists()


def test_another_digest_in_the_registry_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="Check whether somebody else pushed"):
        pushed(FakeEngine([CODE_PUSHED, DONE], digest="sha256:" + "b" * 64), tmp_path)


@pytest.mark.parametrize("target", ["team", "registry.example/ft", "registry.example/Team/ft:1", "a b/c:1"])
def test_a_name_that_no_registry_takes_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(ConfigError, match="not a valid registry reference"):
        pushed(FakeEngine(), tmp_path, target)


def test_records_add_up_and_a_broken_file_is_begun_anew(tmp_path: Path) -> None:
    for _ in range(2):
        pushed(FakeEngine([CODE_PUSHED, DONE]), tmp_path)
    assert len(json.loads((tmp_path / "published.json").read_text())["published"]) == 2
    (tmp_path / "published.json").write_text("{")
    pushed(FakeEngine([CODE_PUSHED, DONE]), tmp_path)
    assert len(json.loads((tmp_path / "published.json").read_text())["published"]) == 1


def test_an_engine_that_goes_away_in_a_push_is_not_called_a_registry(tmp_path: Path) -> None:
    class Gone(FakeEngine):
        def registry_digest(self, reference: str) -> str:
            raise EngineError("The engine refused asking the registry: boom.")

    with pytest.raises(RegistryError, match="does not report its digest"):
        pushed(Gone([CODE_PUSHED, DONE]), tmp_path)
