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
from toolkit.compare.questions import is_asked
from toolkit.core.events import Listener, silent
from toolkit.model.language_model import LanguageModel
from toolkit.runs.ability_record import RecordedAbility

NO_SANDBOX = "sandbox"  # why code is not run


@dataclass(frozen=True, kw_only=True)
class AbilityConfig:
    """`shipped`: ask the shipped items; None: on a card, where they take seconds. `limit_points`: what their total may
    lose.
    """

    shipped: bool | None = None
    benchmarks: Sequence[Benchmark] = ()
    limit_points: float = LIMIT_POINTS


NO_ABILITIES = AbilityConfig(shipped=False)  # where answers must come soon, or the base model would be asked again


@dataclass(kw_only=True)
class Ability:
    """Collects both sides' answers to the items; which ones is decided with the first side."""

    config: AbilityConfig
    benchmark_items: Sequence[Item] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    shipped: bool = False
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
            self.shipped, self.system = is_asked(self.config.shipped, model), system
            self.items = self._chosen()
        self.outcomes.append(ask(model, self.items, system, listener) if self.items else [])
        self.seconds += time.perf_counter() - started

    def _chosen(self) -> list[Item]:
        shipped = list(shipped_items()) if self.shipped else []
        if shipped and not sandbox_holds():
            shipped, self.left_out = [one for one in shipped if one.group != CODE], {CODE: NO_SANDBOX}
        return [*shipped, *self.benchmark_items]

    def record(self) -> RecordedAbility:
        """What both sides' answers come to."""
        items = self.items or []
        before, after = self.outcomes
        total = total_entry(items, before, after)
        return RecordedAbility(
            not_run=None if self.shipped else "off",
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
