"""Fills the virtual environment that runs it: says how much pip will fetch, and shows how far it is.

    python requirements/install.py toolkit [TORCH]     the toolkit's libraries and torch
    python requirements/install.py workshop            what tests and lint need beside them

Standard library only: nothing is installed yet. Without TORCH, a requirement or a wheel, torch's build is the
machine's: the CPU build where there is no NVIDIA driver and pip's own configuration offers that build, else CUDA's.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent
MB, GB = 10**6, 10**9
# As wheels for x86-64 and Python 3.11, measured with `pip download` on 2026-11-29; a cache or a mirror fetches no more.
LIBRARIES, WORKSHOP, TORCH_CPU, TORCH_CUDA = 274 * MB, 44 * MB, 191 * MB, 2730 * MB
# In .venv, once unpacked.
DISK_CPU, DISK_CUDA = 2.2 * GB, 5.9 * GB
CONFIGURATION_ERROR = 3
DRIVER = Path("/proc/driver/nvidia/version")
COLLECTING = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)==")
NEVER_CUDA = sys.platform != "linux"

Say = Callable[[str], None]


def main(arguments: list[str]) -> int:
    """The exit code; pip's own where it fails."""
    if arguments[:1] == ["workshop"]:
        say(f"tests and lint: {size(WORKSHOP)} of tools, into .venv")
        return install("dev.txt")
    given = arguments[1] if len(arguments) > 1 else ""
    version = torch_version()
    cpu = f"torch=={version}+cpu"
    asked = given or (cpu if not has_card() and pip_offers(cpu) else f"torch=={version}")
    is_small = NEVER_CUDA or "+cpu" in asked
    say(plan(asked, given=bool(given), card=has_card(), is_small=is_small))
    needed, free = DISK_CPU if is_small else DISK_CUDA, shutil.disk_usage(HERE).free
    if not given and free < needed and not (HERE.parent / ".venv/.ready").is_file():
        say(f"Error: .venv needs {size(needed)}, {size(free)} are free here. Clone the project onto a larger disk, "
            "such as a rented container's data disk (/root/autodl-tmp).")  # fmt: skip
        return CONFIGURATION_ERROR
    return (
        install("build.txt")
        or install("runtime.txt", "--no-build-isolation")
        or pip("install", *(["--no-deps"] if is_small else []), asked).returncode
    )


def plan(torch: str, *, given: bool, card: bool, is_small: bool) -> str:
    """What will be fetched, and why this torch; one line, and a second where a smaller one is within reach."""
    first = f"setting up .venv: {size(LIBRARIES)} of libraries"
    if given:
        return f"{first}, and {torch} as asked"
    if is_small:
        return f"{first}, and torch for the CPU ({size(TORCH_CPU)}): there is no NVIDIA driver here"
    why = "for the card here" if card else "there is no NVIDIA driver here, but pip is offered no CPU build"
    text = f"{first}, and torch with CUDA ({size(TORCH_CUDA)}): {why}"
    if not card:
        text += (
            "\nfor the CPU build, 14 times smaller, press Ctrl-C and name the CPU index that pytorch.org gives: "
            "make setup PIP_EXTRA_INDEX_URL=…"
        )
    return text


def size(count: float) -> str:
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.0f} MB"


def torch_version() -> str:
    """The locked one; the image's torch is of the same lock."""
    text = (HERE / "torch-cuda.txt").read_text(encoding="utf-8")
    return re.search(r"^torch==(\S+)", text, re.MULTILINE)[1]


def has_card() -> bool:
    return DRIVER.is_file() or shutil.which("nvidia-smi") is not None


def pip_offers(requirement: str) -> bool:
    """Whether pip, configured as it is, finds exactly this; nothing is installed."""
    arguments = ("--quiet", "--dry-run", "--no-deps", "--ignore-installed", requirement)
    return pip("install", *arguments, quiet=True).returncode == 0


def pip(*arguments: str, quiet: bool = False) -> subprocess.CompletedProcess:
    """Runs the pip of this environment; its own progress bars are seen unless `quiet`."""
    found = subprocess.DEVNULL if quiet else sys.stderr
    return subprocess.run([sys.executable, "-m", "pip", *arguments], stdout=found, stderr=found, check=False)


def install(file: str, *options: str) -> int:
    """Installs a locked file; its many small packages are one counting line. pip's exit code."""
    path = HERE / file
    count = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"[\w.-]+==", line))
    command = [
        *(sys.executable, "-m", "pip", "install", "--require-hashes", "--no-deps", "--progress-bar", "off"),
        *(*options, "-r", str(path)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        last = follow(child.stdout or (), count, say_over if sys.stderr.isatty() else say)
    if child.returncode:
        say("\n".join(last))
    return child.returncode


def follow(lines: Iterable[str], count: int, show: Say) -> list[str]:
    """Shows each package as it is collected, or each tenth of them where lines stay; returns pip's last lines."""
    last: list[str] = []
    done = 0
    for line in lines:
        last = [*last[-14:], line.rstrip()]
        if found := COLLECTING.match(line):
            done += 1
            if show is say_over or done % max(1, count // 10) == 0:
                show(f"  {done} of {count}: {found[1]}")
        elif line.startswith("Installing collected"):
            show("  unpacking")
    if show is say_over:
        say("")
    return last


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def say_over(text: str) -> None:
    """On a terminal, in the place of the line before."""
    width = shutil.get_terminal_size().columns - 1
    print(f"\r{text[:width]:<{width}}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
