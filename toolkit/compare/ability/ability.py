"""Whether a comparison measures abilities, on which items, and what both sides' answers come to."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.compare.ability.asking import Outcome, ask
from toolkit.compare.ability.benchmarks import Benchmark
from toolkit.compare.ability.items import CODE, Item
from toolkit.compare.ability.ledger import (
    LIMIT_POINTS,
    changes,
    group_entries,
    incoherent_entry,
    outcome_of,
    total_entry,
)
from toolkit.compare.ability.sandbox import sandbox_holds
from toolkit.compare.ability.shipped import shipped_items
from toolkit.core.events import Listener, silent
from toolkit.model.language_model import LanguageModel
from toolkit.runs.ability_record import NotRun, RecordedAbility

LEAST_PARAMETERS = 100_000_000  # a smaller model solves nothing of this, so its losses would say nothing
NO_SANDBOX = "sandbox"  # why code is not run


@dataclass(frozen=True, kw_only=True)
class AbilityConfig:
    """`shipped` None: the shipped items are asked of a model of LEAST_PARAMETERS on a card. `several`: other
    comparisons follow, so they are asked only if `shipped` is True. `limit_points`: what the total may lose.
    """

    shipped: bool | None = None
    benchmarks: Sequence[Benchmark] = ()
    limit_points: float = LIMIT_POINTS
    several: bool = False


def reason_not_to_run(config: AbilityConfig, *, parameters: int, on_card: bool) -> NotRun | None:
    """Why the shipped items are not asked; None if they are."""
    if config.shipped is not None:
        return None if config.shipped else "off"
    if config.several:
        return "several"
    if parameters < LEAST_PARAMETERS:
        return "small"
    return None if on_card else "cpu"


@dataclass(kw_only=True)
class Ability:
    """Collects both sides' answers to the items; which ones is decided with the first loaded model."""

    config: AbilityConfig
    benchmark_items: Sequence[Item] = ()
    not_run: NotRun | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    items: list[Item] | None = None
    outcomes: list[list[Outcome]] = field(default_factory=list)
    system: str = ""

    @classmethod
    def planned(cls, config: AbilityConfig) -> "Ability":
        """Reads the benchmarks' files, before a model is loaded. Raises DataError."""
        return cls(config=config, benchmark_items=[item for one in config.benchmarks for item in one.items()])

    def ask(self, model: LanguageModel, system: str, listener: Listener = silent) -> None:
        """The side that the model is switched to answers: first the one before, then the one after."""
        started = time.perf_counter()
        if self.items is None:
            self.items, self.system = self._chosen(model), system
        self.outcomes.append(ask(model, self.items, system, listener) if self.items else [])
        self.seconds += time.perf_counter() - started

    def _chosen(self, model: LanguageModel) -> list[Item]:
        self.not_run = reason_not_to_run(self.config, parameters=_parameters(model), on_card=_on_card(model))
        shipped = [] if self.not_run else list(shipped_items())
        if shipped and not sandbox_holds():
            shipped, self.left_out = [one for one in shipped if one.group != CODE], {CODE: NO_SANDBOX}
        return [*shipped, *self.benchmark_items]

    def record(self) -> RecordedAbility:
        """What both sides' answers come to."""
        items = self.items or []
        before, after = self.outcomes
        total = total_entry(items, before, after)
        return RecordedAbility(
            not_run=self.not_run,
            system=self.system,
            limit_points=self.config.limit_points,
            outcome=None if total is None else outcome_of(total, self.config.limit_points),
            total=total,
            groups=group_entries(items, before, after),
            coherent=incoherent_entry(before, after),
            left_out=self.left_out,
            changes=changes(items, before, after),
            seconds=round(self.seconds, 3),
        )


def _parameters(model: LanguageModel) -> int:
    """How many weights the model has; 0 for a stand-in without any."""
    count = getattr(model.model, "num_parameters", None)
    return int(count()) if callable(count) else 0


def _on_card(model: LanguageModel) -> bool:
    device = getattr(model.model, "device", None)  # a stand-in has none
    return device is not None and device.type == "cuda"
