"""One process at a time, from start to end: its seconds, its lines with the second each came, the card's memory."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 15
SAMPLE_MS = 250


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process, with its children that have ended, had used at a moment. `private_mib`: without mapped files.

    `peak_mib`: the most that was resident of it so far; `together_mib`: the most that it and its children had at once,
    in samples of SAMPLE_MS, with each page counted once.
    """

    wall_s: float
    cpu_s: float
    resident_mib: int
    private_mib: int
    peak_mib: int
    together_mib: int

    @classmethod
    def of(cls, pid: int, wall_s: float, together_mib: int) -> "Usage":
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in status.splitlines())
               if name in ("VmRSS", "RssAnon", "VmHWM")}  # fmt: skip
        ticks = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:15]
        return cls(
            wall_s=round(wall_s, 3), cpu_s=round(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), 2),
            resident_mib=kib["VmRSS"] // 1024, private_mib=kib["RssAnon"] // 1024,
            peak_mib=kib["VmHWM"] // 1024, together_mib=together_mib,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ended:
    """`lines`: both streams, as (seconds since the start, text). `card_peak_mib`: with what the driver itself holds.

    `cpu_s`: of all its processes and threads. `at_mark`: when the first line with the mark came. `load_before`: the
    system's load average over the minute before; on a busy machine the seconds say less than `cpu_s` does.
    """

    exit_code: int
    wall_s: float
    lines: list[tuple[float, str]]
    card_peak_mib: int | None
    load_before: float
    cpu_s: float
    at_mark: "Usage | None" = None

    def told(self) -> dict[str, object]:
        return {
            "exit_code": self.exit_code, "wall_s": round(self.wall_s, 3), "cpu_s": round(self.cpu_s, 2),
            "load_before": round(self.load_before, 2),
            "card_peak_mib": self.card_peak_mib,
        }  # fmt: skip

    @property
    def tail(self) -> str:
        return "\n".join(line for _, line in self.lines[-TAIL_LINES:])


def run(command: Sequence[str], environment: Mapping[str, str], mark: str | None = None) -> Ended:
    """`mark`: a text in one of its lines, with the first of which it is interrupted, as by Ctrl-C."""
    load_before, cpu_before = os.getloadavg()[0], _cpu_s()
    with _card_memory() as samples:
        started = time.perf_counter()
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            assert process.stdout
            lines, at_mark = [], None
            with _together(process.pid if mark else None) as together:
                for line in process.stdout:
                    lines.append((round(time.perf_counter() - started, 3), line.rstrip()))
                    if mark is not None and at_mark is None and mark in line:
                        at_mark = Usage.of(process.pid, time.perf_counter() - started, max(together, default=0))
                        process.send_signal(signal.SIGINT)
        wall_s = time.perf_counter() - started
    return Ended(
        exit_code=process.returncode, wall_s=wall_s, lines=lines, card_peak_mib=max(samples, default=None),
        load_before=load_before, cpu_s=_cpu_s() - cpu_before, at_mark=at_mark,
    )  # fmt: skip


@contextmanager
def _together(pid: int | None) -> Iterator[list[int]]:
    """The memory of a process and its children, in MiB, as it is sampled meanwhile; never without a process."""
    samples, ended = list[int](), threading.Event()

    def sample() -> None:
        while pid is not None and not ended.wait(SAMPLE_MS / 1000):
            samples.append(sum(map(_pss_kib, _tree(pid))) // 1024)

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        yield samples
    finally:
        ended.set()
        watcher.join()


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _tree(int(child)))]


def _pss_kib(pid: int) -> int:
    """Its memory, of pages that it shares its part; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _cpu_s() -> float:
    """Of the children that have ended, and of theirs."""
    spent = os.times()
    return spent.children_user + spent.children_system


@contextmanager
def _card_memory() -> Iterator[list[int]]:
    """Filled at the end with what the cards had in use; stays empty where there is no nvidia-smi."""
    samples: list[int] = []
    if shutil.which("nvidia-smi") is None:
        yield samples
        return
    cards = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    asked = ["nvidia-smi", f"--id={cards}", "--query-gpu=memory.used", "--format=csv,noheader,nounits",
             f"--loop-ms={SAMPLE_MS}"]  # fmt: skip
    with tempfile.TemporaryFile("w+") as file:
        watcher = subprocess.Popen(asked, stdout=file, stderr=subprocess.DEVNULL)
        try:
            yield samples
        finally:
            watcher.terminate()
            watcher.wait()
            file.seek(0)
            samples += [int(line) for line in file if line.strip().isdigit()]


def phases(lines: Sequence[tuple[float, str]], marks: Mapping[str, str], wall_s: float) -> dict[str, float]:
    """Seconds up to the first line with each phase's mark, in order, and the rest.

    Of a mark that never comes, the seconds are the next phase's.
    """
    found, before = {}, 0.0
    for name, mark in marks.items():
        at = next((second for second, line in lines if second >= before and mark in line), None)
        if at is not None:
            found[name], before = round(at - before, 3), at
    return found | {"rest": round(wall_s - before, 3)}
