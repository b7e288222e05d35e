"""Parses ms-swift's command line, and writes it back unchanged. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

CONFIGS = (".json", ".yaml", ".yml")  # after the command, ms-swift reads options from such a file


@dataclass(frozen=True, kw_only=True)
class Option:
    """`--name value …`, or `--name=value` if `glued`."""

    flag: str
    values: tuple[str, ...] = ()
    glued: bool = False

    @property
    def name(self) -> str:
        """With underscores: ms-swift accepts `--train-type` for `--train_type`."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def value(self) -> str:
        """The first value; an option without values is a switch that is on."""
        return self.values[0] if self.values else "true"

    def words(self) -> list[str]:
        return [f"{self.flag}={self.values[0]}"] if self.glued else [self.flag, *self.values]


def option(name: str, *values: str) -> Option:
    return Option(flag=f"--{name}", values=values)


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    leading: tuple[str, ...]  # the command, and a configuration file if given
    options: tuple[Option, ...]

    @property
    def command(self) -> str:
        return self.leading[0].replace("_", "-") if self.leading else ""

    @property
    def has_config(self) -> bool:
        return len(self.leading) > 1 and self.leading[1].endswith(CONFIGS)

    def find(self, name: str) -> Option | None:
        """The last option of that name, which is the one that ms-swift uses."""
        return next((option for option in reversed(self.options) if option.name == name), None)

    def value(self, name: str) -> str | None:
        found = self.find(name)
        return None if found is None else found.value

    def values(self, *names: str) -> tuple[str, ...]:
        return tuple(value for name in names if (found := self.find(name)) for value in found.values)

    def is_on(self, name: str) -> bool:
        return (self.value(name) or "").lower() in {"true", "1", "yes", "y", "t"}

    def with_options(self, *added: Option) -> "CommandLine":
        return replace(self, options=(*self.options, *added))

    def changed(self, change: Callable[[Option], Option | None]) -> "CommandLine":
        """Replaces each option by what `change` returns; None removes it."""
        changed = (change(option) for option in self.options)
        return replace(self, options=tuple(option for option in changed if option is not None))

    def words(self) -> list[str]:
        return [*self.leading, *(word for option in self.options for word in option.words())]


def parse(words: Sequence[str]) -> CommandLine:
    start = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    options: list[Option] = []
    for word in words[start:]:
        if word.startswith("--"):
            flag, glue, value = word.partition("=")
            options.append(Option(flag=flag, values=(value,) if glue else (), glued=bool(glue)))
        elif options[-1].glued:  # not valid for ms-swift; passed on unchanged
            options.append(Option(flag=word))
        else:
            options[-1] = replace(options[-1], values=(*options[-1].values, word))
    return CommandLine(leading=tuple(words[:start]), options=tuple(options))
