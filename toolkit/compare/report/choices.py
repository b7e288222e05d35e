"""Filters that are CSS: radio buttons whose counts follow each other, and the answers behind a number. Pure.

A number is a link to a fragment; its answers are those shown while that fragment is the page's target.
A card has the names of its ANSWERS choices as classes, those of other axes in data attributes, and the fragments that
it is behind in `data-behind`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, TypeVar

ALL = "all"
ANSWERS = "answers"
UNFILTERED = "body:not(:has(.behind:target))"
T = TypeVar("T")
Holds = Callable[[T], bool]


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


class Choices(Generic[T]):
    """`axes`: to choose from; `style`: the rules that make them work; `behind`: the fragments that have answers."""

    def __init__(
        self, items: Sequence[T], texts: Mapping[str, Mapping[str, str]], belongs: Mapping[str, Mapping[str, Holds[T]]],
        behind: Mapping[str, Holds[T]],
    ) -> None:  # fmt: skip
        """`texts`: of each axis' choices, ALL first; `belongs`: to each other choice. An axis with only ALL is hidden.

        `behind`: which answers each fragment shows.
        """
        self._values = {axis: list(choices) for axis, choices in texts.items()}
        counts = self._counted(items, belongs)
        self.axes = [
            Axis(name=axis, choices=[
                Choice(name=name, text=text, counts={
                    "-".join(others): counts[(*others[:at], name, *others[at:])]
                    for others in product(*(self._values[other] for other in self._others(axis)))
                })
                for name, text in choices.items()
            ])
            for at, (axis, choices) in enumerate(texts.items()) if len(choices) > 1
        ]  # fmt: skip
        self._sets = {name: holds for name, holds in behind.items() if any(map(holds, items))}
        self.behind = list(self._sets)
        self.style = "".join(f"{rule}\n" for rule in self._rules())

    def sets_of(self, one: T) -> str:
        """The fragments that this answer is behind, for its attribute."""
        return " ".join(name for name, holds in self._sets.items() if holds(one))

    def named(self, name: str) -> str:
        """The fragment, if there are answers behind it."""
        return f"#{name}" if name in self._sets else ""

    def _others(self, axis: str) -> list[str]:
        return [name for name in self._values if name != axis]

    def _counted(self, items: Sequence[T], belongs: Mapping[str, Mapping[str, Holds[T]]]) -> Counter[tuple[str, ...]]:
        """How many answers are shown, by what each axis has chosen."""
        found: Counter[tuple[str, ...]] = Counter()
        for one in items:
            found.update(product(*(
                [name for name in names if name == ALL or belongs[axis][name](one)]
                for axis, names in self._values.items()
            )))  # fmt: skip
        return found

    def _rules(self) -> Iterator[str]:
        """Browsers without :has() show every answer, and no counts."""
        for axis, names in self._values.items():
            for name in names[1:]:
                card = f".{name}" if axis == ANSWERS else f"[data-{axis}='{name}']"
                yield f"{UNFILTERED}:has(#{axis}-{name}:checked) .probe:not({card}){{display:none}}"
        for shown in self.axes:
            others = self._others(shown.name)
            for chosen in product(*(self._values[other] for other in others)):
                others_are = "".join(
                    f":has(#{other}-{value}:checked)"
                    for other, value in zip(others, chosen, strict=True) if len(self._values[other]) > 1
                )  # fmt: skip
                yield f"body{others_are} .axis-{shown.name} .n-{'-'.join(chosen)}{{display:inline}}"
        for name in self._sets:
            yield f"body:has(#{name}:target) .probe:not([data-behind~='{name}']){{display:none}}"
