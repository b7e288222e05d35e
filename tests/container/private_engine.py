"""A Docker engine for machines that have none: started from Debian's packages, used, removed without a trace.

  python tests/container/private_engine.py COMMAND [ARG...]

runs COMMAND with PATH, DOCKER_HOST and DOCKER_CONFIG set for it. Needs Debian 12 or 13 and root.
Debian 12's own engine (20.10) builds nothing reproducible, so Debian 13's is unpacked into a folder, with its
containerd and buildx; only the host's runc is used, since Debian 13's needs a newer libc.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

RELEASE = "trixie"
UNPACKED = ("docker.io", "docker-cli", "docker-buildx", "containerd", "tini")
FROM_THE_HOST = ("docker.io", "iproute2")  # for runc and what it needs; its daemon is never started
READY_WITHIN_S = 120.0


class NoEngineError(RuntimeError):
    """Why no engine could be started here."""


@contextmanager
def private_engine() -> Iterator[dict[str, str]]:
    """Yields the environment in which `docker` and the SDK reach the engine; afterwards nothing of it is left."""
    _require_root_on_debian()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="engine-"))
        stack.callback(_remove, folder)
        install_if_absent(*FROM_THE_HOST)
        programs = _unpack(folder)
        environment = _environment(folder, programs)
        stack.enter_context(_bridge(name := f"dk{os.getpid()}"))
        stack.enter_context(_daemon(folder, environment, name))
        yield environment


def end_in_order_when_terminated() -> None:
    """Else a SIGTERM would leave the daemon, its mounts and its bridge behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _require_root_on_debian() -> None:
    if os.geteuid() != 0:
        raise NoEngineError("A private engine needs root. Run as root, or set DOCKER_HOST to an engine that answers.")
    if shutil.which("apt-get") is None:
        raise NoEngineError("A private engine is made of Debian's packages. Set DOCKER_HOST to an engine that answers.")


def install_if_absent(*packages: str) -> None:
    """Debian's packages, for the engine and for what tests need beside it."""
    if subprocess.run(["dpkg", "-s", *packages], capture_output=True, check=False).returncode == 0:
        return
    _require_root_on_debian()
    _run("apt-get", "-qq", "update")
    # Unpacking must not start a daemon of the distribution's.
    _run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages, env={"RUNLEVEL": "1"})


def _unpack(folder: Path) -> Path:
    """The next Debian's engine under `folder`/programs; the machine's own packages stay as they are."""
    archive = _archive()
    lists, cache, debs = (folder / "apt" / name for name in ("lists/partial", "cache/archives/partial", "debs"))
    for made in (lists, cache, debs):
        made.mkdir(parents=True)
    sources = folder / "apt" / "sources.list"
    sources.write_text(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {archive} {RELEASE} main\n")
    options = [
        *("-o", f"Dir::State::lists={lists.parent}", "-o", f"Dir::Cache={cache.parent.parent}"),
        *("-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=/dev/null"),
        *("-o", "APT::Sandbox::User=root"),
    ]
    _run("apt-get", "-qq", *options, "update")
    _run("apt-get", "-qq", *options, "download", *UNPACKED, cwd=debs)
    programs = folder / "programs"
    for deb in sorted(debs.glob("*.deb")):
        _run("dpkg", "-x", str(deb), str(programs))
    (programs / "usr/sbin/runc").unlink(missing_ok=True)
    (programs / "usr/bin/docker-init").unlink(missing_ok=True)
    (programs / "usr/bin/docker-init").symlink_to("tini-static")
    return programs


def _archive() -> str:
    """The address of the Debian archive that this machine already uses."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    fitting = [address for address in told if "security" not in address]
    if not fitting:
        raise NoEngineError("apt knows no Debian archive. Set DOCKER_HOST to an engine that answers.")
    return fitting[0]


def _environment(folder: Path, programs: Path) -> dict[str, str]:
    plugins = folder / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(programs / "usr/libexec/docker/cli-plugins/docker-buildx")
    return {
        **os.environ,
        "PATH": f"{programs}/usr/sbin:{programs}/usr/bin:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(plugins.parent),
    }


@contextmanager
def _bridge(name: str) -> Iterator[None]:
    """A bridge of its own: a daemon without one deletes docker0, which another daemon may use."""
    _run("ip", "link", "add", name, "type", "bridge")
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


@contextmanager
def _daemon(folder: Path, environment: dict[str, str], bridge: str) -> Iterator[None]:
    settings = folder / "daemon.json"
    # The containerd store keeps an image's digest from build to registry, and allows COPY --link to reuse layers.
    settings.write_text(json.dumps({"features": {"containerd-snapshotter": True}}))
    log = folder / "dockerd.log"
    with log.open("wb") as stream:
        daemon = subprocess.Popen(
            [
                *("dockerd", "--config-file", str(settings), "--host", environment["DOCKER_HOST"]),
                *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
                *("--pidfile", str(folder / "docker.pid"), "--bridge", bridge, "--iptables=false", "--ip-masq=false"),
            ],
            env=environment, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_it_answers(daemon, environment, log)
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(timeout=60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _wait_until_it_answers(daemon: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and daemon.poll() is None:
        asked = subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False)
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise NoEngineError(f"The private engine does not answer. Its log ends with:\n{log.read_text()[-3000:]}")


def _remove(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", mount], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **(env or {})},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NoEngineError(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-1000:]}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(str(__doc__))
    end_in_order_when_terminated()
    with private_engine() as inside:
        sys.exit(subprocess.run(sys.argv[1:], env=inside, check=False).returncode)
