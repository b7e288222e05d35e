"""A studio over a folder, as `toolkit studio` makes one, to be served by `tests.fakes.answerer.listening`."""

from pathlib import Path

from toolkit.cli.console.failures import phrase, shown
from toolkit.studio.desk import Desk, Wording
from toolkit.studio.site import Site
from toolkit.studio.workspace import Workspace

TOKEN = "t-1234"
NAMES = frozenset({"127.0.0.1", "localhost", "studio.example"})


def studio_site(folder: Path) -> Site:
    """Runs go to its folder `output`."""
    return Site(
        desk=Desk.of(Workspace(folder=folder, output=Path("output")), "tiny-qwen2"), token=TOKEN, names=NAMES, port=1,
        notify=print, wording=Wording(failure=shown, phrase=phrase),
    )  # fmt: skip
