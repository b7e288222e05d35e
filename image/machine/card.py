"""The card of this host, and its driver, as nvidia-smi names them."""

import csv
from dataclasses import dataclass

from image.core.lock import Lock
from image.core.project import GIB, SMALL_MODEL_BYTES, card_bytes
from image.machine.finding import Command, Finding

# The oldest driver for each CUDA major: https://docs.nvidia.com/cuda/cuda-toolkit-release-notes.
OLDEST_DRIVER = {"12": 525, "13": 580}
CARD_FIELDS = ("name", "driver_version", "memory.free", "memory.total")


@dataclass(frozen=True, kw_only=True)
class Card:
    name: str
    driver: str
    free_bytes: int
    total_bytes: int


def find_card(command: Command) -> Card | None:
    """The card with the most free memory according to nvidia-smi; None without a card or a driver."""
    answer = command(["nvidia-smi", f"--query-gpu={','.join(CARD_FIELDS)}", "--format=csv,noheader,nounits"])
    rows = [
        row for row in csv.reader((answer or "").splitlines(), skipinitialspace=True) if len(row) == len(CARD_FIELDS)
    ]
    cards = [
        Card(name=name, driver=driver, free_bytes=int(free) * 1024**2, total_bytes=int(total) * 1024**2)
        for name, driver, free, total in rows
        if free.isdigit() and total.isdigit()
    ]
    return max(cards, key=lambda card: card.free_bytes, default=None)


def check_card(card: Card | None, lock: Lock | None) -> Finding:
    weights = 0 if lock is None else lock.total_bytes
    needed, small = card_bytes(weights), weights <= SMALL_MODEL_BYTES
    if card is None:
        return Finding(
            state="note" if small else "bad",
            what="card: none, or no NVIDIA driver (nvidia-smi does not answer)",
            why="The embedded model needs none." if small else f"The model needs one with {needed / GIB:.0f} GiB.",
            remedy="Install NVIDIA's driver on the host; CUDA itself is not needed there.",
        )
    what = f"card: {card.name}, {card.free_bytes / GIB:.1f} of {card.total_bytes / GIB:.1f} GiB free"
    if card.free_bytes >= needed * 0.95:  # "24 GB" cards have 23.6 to 24 GiB
        return Finding(state="ok", what=what)
    why = f"Training needs up to {needed / GIB:.0f} GiB."
    return Finding(state="bad", what=what, why=why, remedy="See what uses it (nvidia-smi), or use a larger card.")


def check_driver(card: Card, cuda: str, remedy: str = "Upgrade the driver.") -> Finding:
    """Whether the card's driver is new enough for this CUDA (its major, "13")."""
    oldest = OLDEST_DRIVER.get(cuda, 0)
    what = f"driver: {card.driver}, CUDA {cuda} needs {oldest} or newer"
    if int(card.driver.partition(".")[0]) >= oldest:
        return Finding(state="ok", what=what)
    return Finding(state="bad", what=what, why="torch would not find the card.", remedy=remedy)
