"""An adapter on its way to a registry and back, with a registry that fails in every way that one can."""

import json
from pathlib import Path

import pytest

from image.core.address import Login, read_address
from image.core.errors import ConfigError, RegistryError
from image.core.files import content_digest
from image.registry import Repository
from tests.fakes.artifact_exchange import door, published, pulled
from tests.fakes.portable_run import DIGEST, RUN, make_portable_run, write_report
from tests.fakes.registry import fake_registry

LOGIN = Login(user="ci", password="secret")


def test_what_was_published_comes_back_the_same(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path)
    with fake_registry() as registry:
        sent = published(registry, tmp_path)
        back = pulled(registry, tmp_path)

    assert (sent.layers, sent.layers_sent) == (6, 6)
    assert sent.digest == back.digest == content_digest(registry.manifests["1"])
    assert (back.run_id, back.verdict, back.base) == (RUN, "passed", f"me/mine@{'a' * 40}")
    assert back.folder == tmp_path / "pulled" / "adapter-1"
    ours = {path.name: path.read_bytes() for path in (run / "adapter").iterdir() if path.name != "export.json"}
    assert {path.name: path.read_bytes() for path in back.folder.iterdir()} == ours
    [record] = json.loads((tmp_path / "published.json").read_text())["published"]
    assert (record["digest"], record["run"]) == (sent.digest, RUN)


def test_the_second_time_nothing_travels_and_the_digest_is_the_same(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        first, second = published(registry, tmp_path), published(registry, tmp_path)
        assert (second.digest, second.layers_sent, second.bytes_sent) == (first.digest, 0, 0)
        assert pulled(registry, tmp_path).downloaded
        assert not pulled(registry, tmp_path).downloaded


@pytest.mark.parametrize(
    ("passed", "why"), [(False, "did not pass its comparison"), (None, "no comparison report for its adapter")]
)
def test_what_was_not_proven_is_refused_unless_asked_for(tmp_path: Path, passed: bool | None, why: str) -> None:
    make_portable_run(tmp_path, passed=passed)
    with fake_registry() as registry:
        with pytest.raises(ConfigError, match=why) as refused:
            published(registry, tmp_path)
        assert "--even-if-failed" in refused.value.next
        assert registry.asked == []
        published(registry, tmp_path, even_if_failed=True)
        assert pulled(registry, tmp_path).verdict == ("failed" if passed is False else "not compared")


def test_a_report_of_another_adapter_proves_nothing(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path)
    for folder in ("compare", "adapter"):
        write_report(run / folder / "report.json", "0" * 64, passed=True)
    with fake_registry() as registry, pytest.raises(ConfigError, match="no comparison report for its adapter"):
        published(registry, tmp_path)


def test_a_comparison_since_the_export_asks_for_a_new_export(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path)
    write_report(run / "compare" / "report.json", DIGEST, passed=True, seconds=2.0)
    with (
        fake_registry() as registry,
        pytest.raises(ConfigError, match=r"compared again after.*make export .*--to adapter"),
    ):
        published(registry, tmp_path)


def test_an_adapter_that_is_not_the_runs_is_refused(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path)
    (run / "adapter" / "adapter_model.safetensors").write_bytes(b"others")
    with fake_registry() as registry, pytest.raises(ConfigError, match=r"is not the adapter of"):
        published(registry, tmp_path)


def test_without_an_export_the_command_for_it_is_told(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path)
    (run / "adapter" / "adapter_config.json").unlink()
    with fake_registry() as registry, pytest.raises(ConfigError, match=f"make export RUN={RUN} .*--to adapter"):
        published(registry, tmp_path)


def test_a_run_that_did_not_finish_has_nothing_to_publish(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path)
    (run / "run.json").write_text('{"status": "interrupted"}')
    with fake_registry() as registry, pytest.raises(ConfigError, match="is interrupted"):
        published(registry, tmp_path)


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_with_a_login_it_arrives(tmp_path: Path, auth: str) -> None:
    """A token that was given for reading is not good for writing: another is asked for."""
    make_portable_run(tmp_path)
    with fake_registry(auth=auth) as registry:
        assert published(registry, tmp_path, door(registry, LOGIN)).layers_sent == 6


@pytest.mark.parametrize("auth", ["basic", "token"])
@pytest.mark.parametrize("login", [None, Login(user="ci", password="wrong")])
def test_without_a_right_login_it_is_told_how_to_log_in_and_not_tried_again(
    tmp_path: Path, auth: str, login: Login | None
) -> None:
    make_portable_run(tmp_path)
    waits: list[float] = []
    with fake_registry(auth=auth) as registry, pytest.raises(RegistryError, match="docker login") as refused:
        published(registry, tmp_path, door(registry, login, waits))
    assert waits == []
    assert registry.blobs == {}
    assert "wrong" not in str(refused.value)


def test_an_open_artifact_is_read_without_a_login(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry(auth="token") as registry:
        published(registry, tmp_path, door(registry, LOGIN))
        assert pulled(registry, tmp_path).downloaded


@pytest.mark.parametrize(
    ("fault", "status", "remedy"),
    [
        (("POST", "/uploads/"), 403, "Check that the name is yours"),
        (("PUT", "/uploads/"), 413, "limits the size of a file"),
        (("PUT", "/manifests/"), 403, "Check that the name is yours"),
        (("PUT", "/uploads/"), 507, "disk is full"),
    ],
)
def test_a_refusal_is_told_in_the_registrys_words_with_a_remedy(
    tmp_path: Path, fault: tuple[str, str], status: int, remedy: str
) -> None:
    make_portable_run(tmp_path)
    waits: list[float] = []
    with fake_registry(faults={fault: [status]}) as registry, pytest.raises(RegistryError, match=remedy) as refused:
        published(registry, tmp_path, door(registry, waits=waits))
    assert f"{status} no, {status}" in str(refused.value)
    assert waits == []
    assert "1" not in registry.manifests
    assert not (tmp_path / "published.json").exists()


def test_an_overloaded_registry_is_asked_again_after_growing_pauses(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    waits: list[float] = []
    faults = {("PUT", "/uploads/"): [503, 429], ("GET", "/manifests/"): [500]}
    with fake_registry(faults=faults) as registry:
        assert published(registry, tmp_path, door(registry, waits=waits)).layers_sent == 6
    assert waits == [2, 4, 2]


def test_five_tries_are_enough(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    waits: list[float] = []
    with (
        fake_registry(faults={("PUT", "/uploads/"): [503] * 9}) as registry,
        pytest.raises(RegistryError, match=r"failed 5 times: the registry answered 503"),
    ):
        published(registry, tmp_path, door(registry, waits=waits))
    assert waits == [2, 4, 8, 16]


def test_a_registry_that_is_down_is_named(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        pass
    with pytest.raises(RegistryError, match=r"refused\. Check that 127.0.0.1:\d+ is the right name and is up"):
        published(registry, tmp_path, door(registry, tries=1))


def test_what_is_no_registry_is_told(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with (
        fake_registry(faults={("GET", "/v2/"): [404] * 9}) as registry,
        pytest.raises(RegistryError, match="does not answer like a registry"),
    ):
        published(registry, tmp_path, door(registry, plain_http=True, tries=1))


def test_another_digest_in_the_registry_is_an_error(tmp_path: Path) -> None:
    make_portable_run(tmp_path)
    with fake_registry() as registry:
        repository = door(registry)
        repository.manifest = lambda: b"{}"  # type: ignore[method-assign]
        with pytest.raises(RegistryError, match="Check whether somebody else pushed"):
            published(registry, tmp_path, repository)


def test_a_login_stays_here_where_it_would_travel_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    with fake_registry(auth="token") as registry:
        monkeypatch.setattr("image.core.address.Address.server", property(lambda _: registry.address))
        repository = Repository(
            read_address("r.example/team/adapter:1"), notify=notes.append, login=LOGIN, plain_http=True, tries=1
        )
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(RegistryError):
            repository.push_manifest(b"{}")
    assert "travel unencrypted" in notes[0]
    assert not any(login.startswith("Basic") for login in registry.logins)


@pytest.mark.parametrize("name", ["LICENSE", "report.md", "README.md", "adapter_config.json", "run.json"])
def test_no_file_is_published_through_a_link(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    file = make_portable_run(tmp_path / "output") / "adapter" / name
    file.unlink(missing_ok=True)
    file.symlink_to(secret)
    with fake_registry() as registry, pytest.raises(ConfigError, match=f"{name} is a link, so it is not shared"):
        published(registry, tmp_path / "output")
    assert registry.asked == []


def test_no_folder_is_published_through_a_link(tmp_path: Path) -> None:
    run = make_portable_run(tmp_path / "output")
    (run / "adapter").rename(tmp_path / "elsewhere")
    (run / "adapter").symlink_to(tmp_path / "elsewhere")
    with fake_registry() as registry, pytest.raises(ConfigError, match="adapter is a link"):
        published(registry, tmp_path / "output")


def test_a_record_without_its_fields_is_named(tmp_path: Path) -> None:
    record = {"status": "finished", "adapter": {"path": "checkpoint-1", "sha256": DIGEST}}
    (make_portable_run(tmp_path) / "run.json").write_text(json.dumps(record))
    with fake_registry() as registry, pytest.raises(ConfigError, match="is not the record of a finished run"):
        published(registry, tmp_path)
