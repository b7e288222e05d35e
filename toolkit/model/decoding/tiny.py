"""A tiny model on a CPU: it computes with one thread, and a second process takes the other core meanwhile."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from toolkit.core.startup import fork_beside

TINY_PARAMETERS = 10_000_000


def is_tiny(network: Any) -> bool:
    """Whether it has few parameters, all of them here, and no card. `network` None: of a model that is none of torch's.

    Of one that is shared out (torch's DTensor), no process can compute without the others.
    """
    if network is None or network.device.type == "cuda":
        return False
    parameters = list(network.parameters())
    return not any(hasattr(one, "to_local") for one in parameters) and (
        sum(one.numel() for one in parameters) <= TINY_PARAMETERS
    )


@contextmanager
def one_if_tiny(network: Any) -> Iterator[None]:
    """Within, torch computes with one thread for a tiny network.

    Its kernels are so short that a second thread gains nothing on idle cores, and on busy ones each of them waits until
    both have had their turn.
    """
    if not is_tiny(network):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Meanwhile:
    """Work that a forked process has begun; `work` returns what can be pickled, and leaves nothing else behind.

    This process must compute with one thread: those of OpenMP are not in the other one.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._from_child, to_parent = os.pipe()

        def send() -> None:
            data = pickle.dumps(work())
            with os.fdopen(to_parent, "wb") as file:
                file.write(data)

        self._pid = fork_beside(send)  # beside threads that only draw progress
        os.close(to_parent)

    def result(self) -> Any:
        """What the work returned; None where it could not, for whatever reason: then it is to be done here."""
        with open(self._from_child, "rb", closefd=False) as file:
            data = file.read()
        with suppress(EOFError, pickle.UnpicklingError):  # it was killed
            return pickle.loads(data)  # noqa: S301  # from this program's own process
        return None

    def end(self) -> None:
        """Ends it if it still works."""
        os.close(self._from_child)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@contextmanager
def meanwhile(network: Any, work: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """Within, `work` is done beside, where `network` is tiny and there are two cores; yields what waits for its result.

    That is None where nothing was done. At the end the other process is gone.
    """
    if not is_tiny(network) or len(os.sched_getaffinity(0)) == 1:
        yield lambda: None
        return
    begun = Meanwhile(work)
    try:
        yield begun.result
    finally:
        begun.end()
