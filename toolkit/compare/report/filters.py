"""The page's filters, which are CSS: radio buttons whose counts follow each other, and the answers behind a number.

A number is a link to a fragment; its answers are those shown while that fragment is the page's target.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from toolkit.compare.decision import counted
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.figures import WRONG, outcome
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import system_name
from toolkit.data.probes import DEPTH, DEPTH_METRICS, OUT_OF_SCOPE, PARAPHRASE, TRAINED

ALL = "all"
UNFILTERED = "body:not(:has(.behind:target))"
ANSWERS: Mapping[str, Callable[[ProbeResult], bool]] = {
    ALL: lambda _: True, "changed": lambda one: one.changed, "wrong": lambda one: outcome(one) in WRONG,
}  # fmt: skip
# The answers that each metric is taken over, under one system prompt.
OVER: Mapping[str, tuple[str, ...]] = {
    "reliability": (TRAINED,), "generality": (PARAPHRASE,), "residue": (TRAINED, PARAPHRASE),
    **{name: (group,) for group, name in DEPTH_METRICS.items()},
    **dict.fromkeys(
        ("leakage", "kl", "agreement", "locality", "noise_floor", "length", "repetition"), (OUT_OF_SCOPE,)
    ),
}  # fmt: skip
LETTER = {TRAINED: "t", PARAPHRASE: "p", OUT_OF_SCOPE: "o", **dict(zip(DEPTH, "isrlm", strict=True))}
LEARNED = {TRAINED: "reliability", PARAPHRASE: "generality", **DEPTH_METRICS}  # the metric of each group in scope


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A radio button. `counts`: how many answers it would show, by the class of what the other axes have chosen."""

    name: str
    text: str
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One row of radio buttons; the first is chosen."""

    name: str
    choices: Sequence[Choice]


class Filters:
    """`axes`: to choose from; `style`: the rules that make them work; `behind`: see the method `sets_of`."""

    def __init__(self, report: Report, texts: Texts) -> None:
        self.report = report
        self.systems = list(report.per_system)
        self.groups = list(dict.fromkeys(one.probe.group for one in report.results))
        names = {
            "answers": {name: texts(f"filter.{name}") for name in ANSWERS},
            "group": {ALL: texts("filter.all")} | {
                str(at): texts(f"probe.{group}") for at, group in enumerate(self.groups)
            },
            "system": {ALL: texts("filter.all")} | {
                str(at): system_name(system, texts) for at, system in enumerate(self.systems)
            },
        }  # fmt: skip
        if len(self.systems) == 1:
            del names["system"]["0"]
        self._values = {axis: list(choices) for axis, choices in names.items()}
        self.axes = [
            Axis(name=axis, choices=[
                Choice(name=name, text=text, counts=self._counts(axis, name)) for name, text in choices.items()
            ])
            for axis, choices in names.items() if len(choices) > 1
        ]  # fmt: skip
        self._sets = self._behind()
        self.behind = list(self._sets)
        self.style = "".join(f"{rule}\n" for rule in self._rules())

    def _others(self, axis: str) -> list[str]:
        return [name for name in self._values if name != axis]

    def _counts(self, axis: str, name: str) -> dict[str, int]:
        others = self._others(axis)
        return {
            "-".join(chosen): sum(
                self._shown(one, {axis: name} | dict(zip(others, chosen, strict=True))) for one in self.report.results
            )
            for chosen in product(*(self._values[other] for other in others))
        }

    def _shown(self, one: ProbeResult, chosen: Mapping[str, str]) -> bool:
        return (
            ANSWERS[chosen["answers"]](one)
            and chosen["group"] in (ALL, str(self.groups.index(one.probe.group)))
            and chosen["system"] in (ALL, str(self.systems.index(one.system)))
        )

    def _rules(self) -> Iterator[str]:
        """Browsers without :has() show every answer, and no counts."""
        for name in list(ANSWERS)[1:]:
            yield f"{UNFILTERED}:has(#answers-{name}:checked) .probe:not(.{name}){{display:none}}"
        for name in ("group", "system"):
            for at in self._values[name][1:]:
                yield f"{UNFILTERED}:has(#{name}-{at}:checked) .probe:not([data-{name}='{at}']){{display:none}}"
        for axis in self.axes:
            others = self._others(axis.name)
            for chosen in product(*(self._values[other] for other in others)):
                others_are = "".join(
                    f":has(#{other}-{value}:checked)"
                    for other, value in zip(others, chosen, strict=True) if len(self._values[other]) > 1
                )  # fmt: skip
                yield f"body{others_are} .axis-{axis.name} .n-{'-'.join(chosen)}{{display:inline}}"
        for name in self._sets:
            yield f"body:has(#{name}:target) .probe:not([data-behind~='{name}']){{display:none}}"

    def _behind(self) -> dict[str, Callable[[ProbeResult], bool]]:
        """Fragment to the answers behind a number; without those that nothing is behind."""
        found: dict[str, Callable[[ProbeResult], bool]] = {}
        for at, system in enumerate(self.systems):
            for groups in dict.fromkeys(OVER.values()):
                found[_set_name(groups, at)] = _among(groups, system)
        worst = {name: one.system for name, one in self.report.figures.items()}
        found["learned"] = lambda one: (
            (metric := LEARNED.get(one.probe.group)) in counted(self.report.thresholds) and one.system == worst[metric]
        )
        found["leaked"] = lambda one: bool(one.leaked) and one.system == worst["leakage"]
        found["changed"] = lambda one: (
            one.changed and one.probe.group == OUT_OF_SCOPE and one.system == worst["locality"]
        )
        found["moved"] = lambda one: outcome(one) in (*WRONG, "moved")
        found["expected"] = lambda one: one.passed is not None and one.passed != one.passed_before
        found["unmoved"] = lambda one: one.before_again is not None and (one.before == one.before_again) == one.changed
        return {name: holds for name, holds in found.items() if any(map(holds, self.report.results))}

    def sets_of(self, one: ProbeResult) -> str:
        """The fragments that this answer is behind, for its attribute."""
        return " ".join(name for name, holds in self._sets.items() if holds(one))

    def link(self, metric: str, system: str | None) -> str:
        """The fragment of the answers that a metric was taken over; empty if it was not measured."""
        place = self.systems[0] if system is None and len(self.systems) == 1 else system
        if place not in self.systems or metric not in OVER:
            return ""
        return self.named(_set_name(OVER[metric], self.systems.index(place)))

    def named(self, name: str) -> str:
        """The fragment, if there are answers behind it."""
        return f"#{name}" if name in self._sets else ""


def _set_name(groups: Sequence[str], at: int) -> str:
    return f"{''.join(LETTER[group] for group in groups)}-{at}"


def _among(groups: Sequence[str], system: str) -> Callable[[ProbeResult], bool]:
    return lambda one: one.probe.group in groups and one.system == system
