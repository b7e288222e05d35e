"""What agents can read: the runs, a run's record and report, and the pages of docs/. Cut where a context would fill."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError
from toolkit.core.files import docs_folder
from toolkit.runs.layout import COMPARISON, NAME, REPORT_TEXT
from toolkit.runs.own_comparison import own_comparison
from toolkit.runs.run import Run, read_run
from toolkit.runs.runs import details, summaries

LONGEST = 24_000  # characters: about 6000 tokens
GUIDE = "agents.md"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of docs/: its file's name, and its first heading."""

    name: str
    title: str
    path: Path

    def text(self) -> str:
        return cut(read_text(self.path), self.name)


def pages() -> Iterator[Page]:
    """The guide for agents first; none where the toolkit was installed without docs/."""
    found = sorted(docs_folder().glob("*.md"), key=lambda path: (path.name != GUIDE, path.name))
    for path in found:
        title = read_text(path).partition("\n")[0].lstrip("# ").strip()
        yield Page(name=path.name, title=title, path=path)


def runs_text(results: Path) -> str:
    return json.dumps([vars(one) for one in summaries(results)], ensure_ascii=False, default=str)


def run_text(results: Path, run_id: str) -> str:
    """Its record with the verdict. Raises ConfigError."""
    text = json.dumps(details(_run(results, run_id)), ensure_ascii=False)
    return cut(text, f"toolkit runs show {run_id} --json")


def report_text(results: Path, run_id: str) -> str:
    """Its report as Markdown. Raises ConfigError."""
    run = _run(results, run_id)
    path = run.folder / COMPARISON / REPORT_TEXT
    if own_comparison(run).record is None:
        raise ConfigError(f"{run_id} has no report.", next=f'compare(run="{run_id}") writes it.')
    try:
        return cut(read_text(path), str(path))
    except (OSError, ValueError):
        raise ConfigError(f"{run_id} has no report.", next=f'compare(run="{run_id}") writes it.') from None


def cut(text: str, whole: str) -> str:
    """`whole`: where all of it is."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… (cut; all of it: {whole})"


def _run(results: Path, run_id: str) -> Run:
    if not NAME.fullmatch(run_id):
        raise ConfigError(f"{run_id!r} is not the name of a run.", next="Choose one from toolkit://runs.")
    return read_run(results / run_id)
