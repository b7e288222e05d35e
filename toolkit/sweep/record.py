"""A sweep and its record, sweep.json (schema_version 1), which is replaced atomically after each run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.compare.texts import ENGLISH, Texts, reason_in
from toolkit.compare.verdict import PASSED, Shortfall, misses, verdict_code
from toolkit.core.documents import read_regular_json
from toolkit.core.errors import ConfigError
from toolkit.core.files import SHIPPED_DATA, write_json
from toolkit.core.links import require_links_stay_in, require_no_link
from toolkit.core.suggestion import suggestion
from toolkit.runs.layout import NAME, output_option
from toolkit.sweep.frontier import Candidate, Point, Recommendation, frontier, learned, recommend

SCHEMA_VERSION = 1
SWEEPS = "sweeps"  # in the output folder
RECORD = "sweep.json"
PLOT, PAGE = "plot.svg", "sweep.html"
WAITING, TRAINED, FINISHED, FAILED, STOPPED = "waiting", "trained", "finished", "failed", "interrupted"


@dataclass(kw_only=True)
class Entry:
    """One run of a sweep: `recipe` has every setting, `settings` those that the sweep varies.

    `seconds`: of training; `metrics`: under the worst system prompt each; `shortfall`: see `frontier.shortfall`.
    """

    recipe: dict[str, Any]
    settings: dict[str, Any]
    status: str = WAITING
    run: str | None = None
    error: str | None = None
    seconds: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    verdict: dict[str, Any] | None = None
    shortfall: float | None = None
    thresholds: dict[str, float] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """`v3` of `v3-20260101-000000`; empty if no run was started."""
        return (self.run or "").partition("-")[0]

    @property
    def met(self) -> bool:
        """Whether every figure meets its threshold, also where a half of the verdict was not judged."""
        verdict = self.verdict or {}
        by_half = len(verdict.get("not_judged", ())) == 1 and verdict["took"] and verdict["kept"]
        return bool(verdict.get("passed") or by_half)

    @property
    def label(self) -> str:
        """`keep, epochs 5, keep weight 3`."""
        given = [f"{name.replace('_', ' ')} {value:g}" for name, value in self.settings.items()]
        return ", ".join([str(self.recipe["name"]), *given])

    @property
    def point(self) -> Point:
        """What was learned (the weaker of reliability and generality), and kl."""
        return learned(self.metrics), self.metrics.get("kl")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """`request`: what all runs share (data, model, probes, systems, command)."""

    folder: Path
    request: Mapping[str, Any]
    started_at: str
    status: str
    entries: Sequence[Entry]

    @property
    def frontier(self) -> list[Entry]:
        compared = [entry for entry in self.entries if entry.verdict is not None]
        return [compared[at] for at in frontier([entry.point for entry in compared])]

    @property
    def recommendation(self) -> Recommendation:
        return self.recommendation_in(Texts())

    def recommendation_in(self, texts: Texts) -> Recommendation:
        """The recommendation with its reason in the language of `texts`."""
        return recommend([_candidate(entry, texts) for entry in self.entries if entry.verdict is not None], texts)

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Which every compared run shares; empty before the first."""
        return next((entry.thresholds for entry in self.entries if entry.thresholds), {})

    @property
    def exit_code(self) -> int:
        """The verdict's of the run that is recommended, or comes closest; 0 if nothing was compared."""
        named = self.recommendation.run
        verdict = next((entry.verdict for entry in self.entries if entry.run == named and entry.verdict), None)
        if verdict is None:
            return PASSED
        return verdict.get("exit_code") or verdict_code(took=verdict["took"], kept=verdict["kept"])

    @property
    def failed(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.status == FAILED]

    @property
    def finished(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.status == FINISHED]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "status": self.status,
            "started_at": self.started_at,
            "asked": dict(self.request),
            "runs": [asdict(entry) for entry in self.entries],
            "frontier": [entry.run for entry in self.frontier],
            "recommendation": asdict(self.recommendation),
            "plot": PLOT if (self.folder / PLOT).is_file() else None,
        }


def _candidate(entry: Entry, texts: Texts) -> Candidate:
    verdict = entry.verdict or {}
    reasons = verdict["reasons"] if texts.language == ENGLISH else [one.reason(texts) for one in _missed(entry)]
    return Candidate(
        name=entry.run or "", seconds=entry.seconds or 0.0, passed=entry.met, kl=entry.metrics.get("kl"),
        shortfall=entry.shortfall or 0.0, reasons=tuple(reasons), inconclusive=verdict.get("outcome") == "inconclusive",
        not_judged=_not_judged(verdict, texts),
    )  # fmt: skip


def _not_judged(verdict: Mapping[str, Any], texts: Texts) -> tuple[str, ...]:
    """The last reasons of such a verdict: why a half of it is open."""
    count = len(verdict.get("not_judged", ()))
    return tuple(reason_in(texts, one) for one in verdict["reasons"][-count:]) if count else ()


def _missed(entry: Entry) -> list[Shortfall]:
    """The thresholds that the entry's figures miss, which are those of the worst system prompt."""
    return [
        Shortfall(metric=name, value=value, limit=entry.thresholds[name], system=None)
        for name, value in entry.metrics.items()
        if value is not None and misses(name, value, entry.thresholds)
    ]


def create_sweep_folder(output: Path) -> Path:
    """Creates `sweeps/<time>`; raises ConfigError."""
    require_no_link(output / SWEEPS)
    try:
        while True:
            folder = output / SWEEPS / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                time.sleep(0.1)  # another sweep began in the same second
            else:
                return folder
    except OSError as error:
        raise ConfigError(
            f"Cannot write to the output folder {output}: {error.strerror}.",
            next="Name a writable folder with --output.",
        ) from None


def write_sweep(sweep: Sweep) -> None:
    """Raises ConfigError."""
    with writing_to(sweep.folder):
        write_json(sweep.folder / RECORD, sweep.to_dict())


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Raises ConfigError for an OSError of the block."""
    try:
        yield
    except OSError as error:
        again = suggestion("sweep", "--resume", folder.name, *output_option(folder.parents[1]))
        raise ConfigError(
            f"The sweep cannot be written to {folder}: {error.strerror}.",
            next=f'Free some space, then continue with "{again}".',
        ) from None


def read_sweep(name: str, output: Path) -> Sweep:
    """Reads a sweep that will go on, by its time or its folder; raises ConfigError, also for a link out of it."""
    require_no_link(output / SWEEPS)
    folder = next((one for one in (output / SWEEPS / name, Path(name)) if (one / RECORD).is_file()), None)
    if folder is None:
        known = sorted(path.parent.name for path in (output / SWEEPS).glob(f"*/{RECORD}"))
        raise ConfigError(
            f"No sweep {name!r} in {output / SWEEPS}.",
            next=f"Sweeps there: {', '.join(known[-5:])}."
            if known
            else f'Start one: "{suggestion("sweep", SHIPPED_DATA, *output_option(output))}".',
        )
    require_links_stay_in(folder)
    try:
        value = read_regular_json(folder / RECORD)
        entries = [_entry(one) for one in value["runs"]]
        if not isinstance(value["asked"], dict):
            raise TypeError("asked is not an object")  # noqa: TRY301  # one error for whatever is wrong
        return Sweep(
            folder=folder,
            request=value["asked"],
            started_at=value["started_at"],
            status=value["status"],
            entries=entries,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{folder / RECORD} cannot be read: {error}.", next="Start a new sweep.") from None


def _entry(value: Mapping[str, Any]) -> Entry:
    """Raises ValueError, KeyError or TypeError. A run's name is not a path: else a comparison would write there."""
    known_fields = {one.name for one in fields(Entry)}
    entry = Entry(**{key: part for key, part in value.items() if key in known_fields})
    if entry.run is not None and not NAME.fullmatch(entry.run):
        raise ValueError(f"{entry.run!r} is not the name of a run")
    if not isinstance(entry.recipe, dict) or not isinstance(entry.settings, dict):
        raise TypeError("recipe and settings are not objects")
    str(entry.recipe["name"])
    return entry
