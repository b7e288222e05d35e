"""Results belong to whoever asked for them: the host's side as a user who is not root."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.host import Host

UID = 4321
# What `image run` imports, since this user may not be allowed into the tests' own environment.
PACKAGES = ("docker", "requests", "urllib3", "certifi", "idna", "charset_normalizer", "click")


@pytest.fixture(name="home")
def _home(host: Host) -> Iterator[Path]:
    """A folder of that user's, with the host's side of the project and its libraries."""
    home = Path(tempfile.mkdtemp(prefix="another-"))  # not tmp_path: its parents are root's alone
    installed = Path(sysconfig.get_path("purelib"))
    for name in ("image", "data"):
        shutil.copytree(host.project / name, home / name)
    for name in PACKAGES:
        shutil.copytree(installed / name, home / "libraries" / name)
    subprocess.run(["chown", "--recursive", f"{UID}:{UID}", home], check=True)
    yield home
    shutil.rmtree(home)


def test_a_run_belongs_to_the_caller(host: Host, image: str, home: Path) -> None:
    address = host.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    socket = Path(address.removeprefix("unix://"))
    assert socket.is_socket(), f"{address} is no socket that a group can be let into."
    reached = _parents_let_others_in(socket)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": f"{home}:{home}/libraries"}
    threads = {"OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}
    command = ["-m", "image", "run", "--model", "tiny-qwen2", "--", "toolkit", "finetune", "self_cognition.json"]
    done = subprocess.run(
        [_python(), *command, "--epochs", "1", "--keep-weight", "0"],
        cwd=home, user=UID, group=UID, extra_groups=[socket.stat().st_gid], stdin=subprocess.DEVNULL,
        env={**environment, **threads, "DOCKER_HOST": address},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for folder, mode in reached.items():
        folder.chmod(mode)
    assert done.returncode == 0, done.stderr
    made = [home / "output", *(home / "output").rglob("*")]
    assert {path.lstat().st_uid for path in made} == {UID}
    assert (home / "output/latest/run.json").is_file()


def _parents_let_others_in(path: Path) -> dict[Path, int]:
    """Opens the folders above for a while; what they were."""
    closed = [folder for folder in path.parents if folder.stat().st_mode & 0o001 == 0]
    before = {folder: folder.stat().st_mode & 0o7777 for folder in closed}
    for folder in closed:
        folder.chmod(before[folder] | 0o001)
    return before


def _python() -> str:
    """A Python that any user may start."""
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    return system if Path(system).is_file() else "/usr/bin/python3"
