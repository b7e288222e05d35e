"""A real engine, a real registry and the real image, made once a session. Where one cannot be made, the tests fail.

The engine is the one that answers at DOCKER_HOST (or where Docker usually listens), else a private one. The base image
is TEST_BASE_IMAGE, else a minimal Debian made here; torch is its CPU build, from wherever this machine's pip has it.
TEST_NETWORK is the network of a build's steps where the engine's own leads nowhere.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# One thread, also in the containers: so small a model loses minutes where another process wants the second core.
os.environ["OMP_NUM_THREADS"] = "1"

from tests.container.host import Host
from tests.container.local_registry import Registry, open_registry
from tests.container.private_engine import end_in_order_when_terminated, install_if_absent, private_engine

ROOT = Path(__file__).parents[2]
BASE = "finetune-and-prove-test-base:bookworm"  # its Python, 3.11, is the one of requirements/torch-cpu.txt
MODEL = "tiny-qwen2"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # whom this machine trusts, a proxy's maker among them


@pytest.fixture(scope="session", name="engine")
def _engine() -> Iterator[dict[str, str]]:
    """The environment in which docker reaches an engine; TEST_NETWORK tells how a build's steps reach the network."""
    if _answers(dict(os.environ)):
        yield {"TEST_NETWORK": "default", **os.environ}
        return
    end_in_order_when_terminated()
    with private_engine() as environment:
        # Its bridge leads nowhere: it must not touch this machine's firewall.
        yield {**environment, "TEST_NETWORK": "host"}


def _answers(environment: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session", name="host")
def _host(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Host:
    """The host's side as users call it: `make TARGET` and `python -m image`."""
    return Host(environment=engine, folder=tmp_path_factory.mktemp("host"), project=ROOT)


@pytest.fixture(scope="session", name="build_options")
def _build_options(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What this machine needs to build the CPU image without a card, beside the model."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip"]
    torch = next(line for line in (ROOT / "requirements/torch-cpu.txt").read_text().splitlines() if "==" in line)
    wanted = torch.split()[0]
    got = subprocess.run(
        [*pip, "download", "--quiet", "--no-deps", "--dest", folder, wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode != 0:
        pytest.fail(
            f"pip has no {wanted} here: name pytorch.org's CPU index (PIP_EXTRA_INDEX_URL), or a folder with the wheel "
            f"(PIP_FIND_LINKS). It said: {got.stderr.strip()[-500:]}"
        )
    return [
        *("--torch", "cpu", "--wheels", str(folder), "--network", engine["TEST_NETWORK"]),
        *("--base-image", os.environ.get("TEST_BASE_IMAGE") or _debian(engine, tmp_path_factory.mktemp("base"))),
        *(["--ca-bundle", str(CERTIFICATES)] if CERTIFICATES.is_file() else []),
    ]


def _debian(engine: dict[str, str], folder: Path) -> str:
    install_if_absent("mmdebstrap")
    tar = folder / "base.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", "--include=ca-certificates", "bookworm", tar],
        env={**engine, "SOURCE_DATE_EPOCH": "1700000000"}, check=True,
    )  # fmt: skip
    subprocess.run(["docker", "import", "--change", 'CMD ["bash"]', tar, BASE], env=engine, check=True)
    return BASE


@pytest.fixture(scope="session", name="image")
def _image(host: Host, build_options: list[str]) -> str:
    """The real Dockerfile with the embedded model, built as `make build` builds it; its reference."""
    built = host.make("build", MODEL=MODEL, ARGS=" ".join(build_options))
    assert built.returncode == 0, built.stderr[-3000:]
    return f"finetune-and-prove:{MODEL}"


@pytest.fixture(scope="session", name="finished_run")
def _finished_run(host: Host, image: str) -> Path:
    """A run trained through `make finetune` in the container; its folder on the host."""
    done = host.make("finetune", MODEL=MODEL, DATA="self_cognition.json", OUTPUT=str(host.output))
    assert done.returncode == 0, done.stderr[-3000:]
    return (host.output / "latest").resolve()


@pytest.fixture(scope="session", name="registry")
def _registry(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry without TLS or login, as on a private network."""
    install_if_absent("docker-registry")
    with open_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, however it ended, the engine has no container of ours."""
    yield
    if "host" in request.fixturenames:
        host: Host = request.getfixturevalue("host")
        assert host.docker("ps", "--all", "--quiet").stdout == ""
