"""Starts the warm process of this user and card, waits until the base model is loaded, and says what there is."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import environment
from toolkit.core.errors import ConfigError
from toolkit.core.startup import prepare_environment, restore_gc
from toolkit.model.base_model import BaseModel, find_base_model
from toolkit.model.device import card_count
from toolkit.model.loading import hide_scipy, make_ready
from toolkit.serve.down import answer_to, down
from toolkit.serve.warm.identity import difference, identity
from toolkit.serve.warm.keeper import Keeper
from toolkit.serve.warm.messages import Message, is_private, runtime_folder, socket_path
from toolkit.train import ms_swift

IDLE_MINUTES = 30


@dataclass(frozen=True, kw_only=True)
class UpConfig:
    """`idle_s`: without a command for so long, it ends. `on_card`: also where there is a card."""

    model: str | None = None
    idle_s: float = IDLE_MINUTES * 60.0
    on_card: bool = False


def status() -> Message | None:
    """Of the warm process that a command of this process would use; None if there is none."""
    return answer_to({"kind": "status"})


def memory_bytes(found: Message) -> int:
    """Of the process and what waits in it, each page counted once; 0 where the kernel does not say."""
    total = 0
    for pid in (found["pid"], *found["workers"]):
        with suppress(OSError, ValueError, IndexError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def up(config: UpConfig) -> Message:
    """Its status once it is ready. One that differs in code, environment, model or limits is replaced.

    Raises ConfigError, also while that one still works.
    """
    base, there = find_base_model(config.model), status()
    if there is not None:
        own = identity(environment.initial())
        if difference(there["identity"], own) is None and there["model"] == str(base.path) and there["loaded_s"]:
            return there
        if jobs := len(there["jobs"]):
            raise ConfigError(
                f"The warm process {there['pid']} differs, and still works for {jobs} "
                f"{'command' if jobs == 1 else 'commands'}.",
                next="Wait for their end.",
            )
        down()
    _make_folder(runtime_folder(environment.initial()))
    _start(base, config)
    if (found := status()) is None:
        raise ConfigError("The warm process ended at once.", next="Try again.")
    return found


def keep(config: UpConfig, imports: Callable[[], None], ready: Callable[[], None]) -> None:
    """Is the warm process: returns when it was idle or sent away, and in its workers leaves by SystemExit.

    `imports` adds the commands' own modules. Raises ConfigError.
    """
    before = environment.initial()
    own, base = identity(before), find_base_model(config.model)
    environment.look_for_cards_without_context(on=config.on_card)
    _import(imports)
    _require_no_card(config)
    keeper = Keeper(
        socket_path(before), own, str(base.path), idle_s=config.idle_s, on_card=config.on_card,
        imported=environment.set_since(before),
    )  # fmt: skip

    def prepare() -> None:
        environment.look_for_cards_without_context(on=False)
        ms_swift.import_all()  # what touches a card, if there is one
        make_ready(base.path)

    keeper.keep(prepare, ready)


def _import(imports: Callable[[], None]) -> None:
    prepare_environment()
    hide_scipy()
    import toolkit.train.ms_swift.pipeline  # noqa: F401

    imports()
    restore_gc()


def _require_no_card(config: UpConfig) -> None:
    if not config.on_card and card_count():
        raise ConfigError(
            "There is a card here, and a warm process would keep the base model in its memory.",
            next="Leave it out, or give --card if the card has room for the model twice.",
        )


def _start(base: BaseModel, config: UpConfig) -> None:
    """Returns once it is ready. Raises ConfigError with what it says, if it ends before."""
    log = socket_path(environment.initial()).with_suffix(".log")
    options = ["up", "--stay", "--model", str(base.path), "--idle-minutes", f"{config.idle_s / 60:g}"]
    with log.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "toolkit", *options, *(["--card"] if config.on_card else [])],
            cwd="/", env=environment.initial(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    assert child.stdout is not None
    with child.stdout as words:
        if words.readline():
            return
    child.wait()
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    what = lines[-1].removeprefix("Error: ") if lines else f"The warm process ended with {child.returncode}."
    raise ConfigError(what)


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        raise ConfigError(
            f"{folder} is not a private folder of this user.", next="Remove it, or set XDG_RUNTIME_DIR to another."
        )
