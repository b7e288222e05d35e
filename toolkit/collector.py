"""Python's cycle collector, kept out of imports: it would walk their objects, which all stay, a hundred times over."""

import atexit
import gc

RARELY = (100_000, 20, 100)
USUALLY = gc.get_threshold()


def collect_rarely() -> None:
    """Until `imports_are_done`; at the process's end what is still there is not walked once more."""
    if gc.get_threshold() != RARELY:
        gc.set_threshold(*RARELY)
        atexit.register(gc.freeze)


def imports_are_done() -> None:
    """From here on as usual, but what is there now is left aside. Called before a model is: it must be collected."""
    if gc.get_threshold() == RARELY:
        gc.freeze()
        gc.set_threshold(*USUALLY)
