"""A page with filters, as a browser applies them."""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any


def articles(page: str) -> list[dict[str, str]]:
    """What each answer on the page is shown by."""
    found = re.findall(
        r'<article class="card probe([^"]*)" data-group="(\d)" data-system="(\d)" data-behind="([^"]*)">', page
    )
    return [dict(zip(("classes", "group", "system", "behind"), one, strict=True)) for one in found]


def counted(page: str, axes: Sequence[Any]) -> Callable[[dict[str, str]], int]:
    """How many answers a choice shows, by the name of each axis; checks every count of every choice against it."""
    shown = articles(page)
    names = {axis.name: [choice.name for choice in axis.choices] for axis in axes}

    def count(chosen: dict[str, str]) -> int:
        return sum(
            chosen["answers"] in ("all", *one["classes"].split())
            and chosen["group"] in ("all", one["group"]) and chosen["system"] in ("all", one["system"])
            for one in shown
        )  # fmt: skip

    for chosen in (dict(zip(names, one, strict=True)) for one in itertools.product(*names.values())):
        for axis in axes:
            choice = next(one for one in axis.choices if one.name == chosen[axis.name])
            key = "-".join(value for name, value in chosen.items() if name != axis.name)
            assert choice.counts[key] == count(chosen)
            assert f'class="n n-{key}">{choice.counts[key]}</span>' in page
    return count
