"""The image without weights: with a folder of one's own, and with a model that the host fetches once for all."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.host import Done, Host
from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import write_lock

TINY = Path("data/tiny-qwen2")
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module", name="thin")
def _thin(host: Host, image: str, build_options: list[str]) -> None:  # its layers are this one's
    built = host.image("build", "--model", "none", *build_options)
    assert built.returncode == 0, built.stderr[-3000:]


@pytest.fixture(name="hub")
def _hub(host: Host) -> Iterator[HubServer]:
    """Has the embedded model's files as another model's."""
    files = {path.name: path.read_bytes() for path in (host.project / TINY).iterdir() if path.is_file()}
    with HubServer(files=files) as hub:
        yield hub


@pytest.fixture(name="elsewhere")
def _elsewhere(host: Host, hub: HubServer, tmp_path: Path) -> Host:
    """A checkout that knows that model's lock."""
    project = tmp_path / "project"
    shutil.copytree(host.project, project, ignore=shutil.ignore_patterns(".*", "output", "models", "__pycache__"))
    write_lock(project / "data/locks/small-model.json", hub.files, source_date_epoch=0)
    return Host(environment=host.environment, folder=tmp_path, project=project)


def runs(host: Host, hub: HubServer, *command: str) -> Done:
    given = ("--model", "small-model", "--output", str(host.output))
    network = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1,localhost"}
    return host.image("run", *given, "--", *command, **network)


@pytest.mark.usefixtures("thin")
def test_it_takes_a_folder(host: Host, tmp_path: Path) -> None:
    own = tmp_path / "my-model"
    shutil.copytree(host.project / TINY, own, ignore=shutil.ignore_patterns("__pycache__"))
    done = host.image(
        "run", "--model", f"{own}/", "--output", str(tmp_path / "out"), "--",
        "bash", "-c", "ls /root/models; echo 你是谁？ | toolkit chat --base",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "通义千问" in done.stdout


@pytest.mark.usefixtures("thin")
def test_a_model_that_is_missing_is_fetched_beside_the_container_and_only_once(elsewhere: Host, hub: HubServer) -> None:
    """The hub holds the weights back until the container runs, and long enough for the command in it to miss them."""
    hub.before[WEIGHTS] = lambda: started(elsewhere)
    done = runs(elsewhere, hub, "toolkit", "finetune", "self_cognition.json", "--recipe", "article", "--epochs", "0.1")
    assert done.returncode == 0, done.stderr
    assert (elsewhere.project / "models/Small-Model" / WEIGHTS).read_bytes() == hub.files[WEIGHTS]

    hub.dead = True
    again = runs(elsewhere, hub, "toolkit", "check", "self_cognition.json")
    assert again.returncode == 0, again.stderr


@pytest.mark.usefixtures("thin")
def test_a_hub_that_refuses_ends_the_command_with_its_reason(elsewhere: Host, hub: HubServer) -> None:
    hub.refusals["config.json"] = (403, "GatedRepo")
    done = runs(elsewhere, hub, "toolkit", "finetune", "self_cognition.json")
    assert done.returncode == 4
    assert "it is gated, private or missing" in done.stderr


def started(host: Host, within_s: float = 60) -> None:
    until = time.monotonic() + within_s
    while not host.docker("ps", "--quiet").stdout:
        assert time.monotonic() < until, "The container does not start while the weights are missing."
        time.sleep(0.1)
    time.sleep(3)  # on a slower machine the command finds the model at once, and the test shows less
