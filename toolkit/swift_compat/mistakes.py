"""Plain mistakes in a command, found before ms-swift is imported, which answers with a traceback after seconds. Pure.

Only what ms-swift would certainly refuse is refused here; anything else is left to it.
"""

from collections.abc import Set as AbstractSet

from toolkit.core.errors import ConfigError, ModelError, ToolkitError
from toolkit.core.spelling import did_you_mean
from toolkit.swift_compat.command_line import CommandLine
from toolkit.swift_compat.renamed_options import CHANGES
from toolkit.swift_compat.surroundings import Surroundings
from toolkit.swift_compat.translate import COMMANDS, TRAININGS

ALL_COMMANDS = sorted(COMMANDS | {"web-ui"})
OTHER_SOURCES = ("adapter", "mcore", "resume")  # beginnings of options that name the model in its place
OTHER_ROWS = ("cached_dataset", "load_data")
FILES = ("custom_register_path", "external_plugins", "resume_from_checkpoint")
FILES_OR_NAMES = ("custom_dataset_info", "deepspeed", "fsdp")  # a file if the value ends as one


class UsageError(ToolkitError):
    """A command line that cannot be meant so; the exit code is Click's, which is not imported here."""

    exit_code = 2


def require_command(line: CommandLine, surroundings: Surroundings) -> None:
    """Raises UsageError for a command that ms-swift lacks, ConfigError for a configuration file that does not exist."""
    if line.command not in ALL_COMMANDS:
        typed = line.leading[0] if line.leading else line.words()[0]
        raise UsageError(
            f"No such command {typed!r}.{did_you_mean(typed, ALL_COMMANDS)}",
            next=f"The commands are {', '.join(ALL_COMMANDS)}.",
        )
    if line.has_config and not surroundings.exists(line.leading[1]):
        raise ConfigError(f"No configuration file {line.leading[1]} here.", next="Name an existing one.")


def require_plain(line: CommandLine, surroundings: Surroundings) -> None:
    """Raises UsageError, ModelError or ConfigError for what a translated command surely lacks or has too much.

    Options are checked against those of all commands.
    """
    if not line.is_on("ignore_args_error"):
        _require_known(line, surroundings.options)
    _require_model(line, surroundings)
    if line.command in TRAININGS and not any(line.values("dataset")) and not _has_any(line, *OTHER_ROWS):
        raise UsageError(
            f"{line.command} needs rows: --dataset is missing or empty.",
            next="Name a file, such as --dataset self_cognition.json.",
        )
    if line.command == "merge-lora" and not _has_any(line, "adapter"):
        raise UsageError(f"{line.command} needs an adapter: --adapters is missing.", next="Name a checkpoint's folder.")
    for name in _files(line):
        if not surroundings.exists(name):
            raise ConfigError(f"No file or folder {name} here.", next="Name an existing one.")


def _require_known(line: CommandLine, options: AbstractSet[str]) -> None:
    """argparse, which ms-swift uses, takes the beginning of an option for it, and --no_x for a switch x."""
    if options and line.leading[1:]:
        raise UsageError(
            f"{line.command} takes options only, and {line.leading[1]!r} is none.",
            next="Each begins with two hyphens, as in --model FOLDER.",
        )
    for given in line.options:
        bare = given.name.removeprefix("no_")
        if options and not any(name.startswith((given.name, bare)) for name in options):
            flags = [f"--{name}" for name in sorted(options | {change.old for change in CHANGES})]
            raise UsageError(
                f"{line.command} has no option {given.flag}.{did_you_mean(given.flag, flags)}",
                next=f"swift {line.command} --help lists them.",
            )


def _require_model(line: CommandLine, surroundings: Surroundings) -> None:
    if any(line.values("model")):
        return
    adapters = [(name, surroundings.adapter(name)) for name in line.values("adapters")]
    for name, adapter in adapters:
        if adapter is not None and adapter.model is None:
            base = f" ({adapter.paths[0]})" if adapter.paths else ""
            raise ModelError(f"The base model of {name} is not here{base}.", next="Name its folder with --model.")
    if line.find("model") or not _has_any(line, *OTHER_SOURCES):
        raise UsageError(
            f"{line.command} needs a base model: --model is missing or empty.",
            next="Name its folder, such as --model Qwen2.5-7B-Instruct, or owner/name.",
        )


def _has_any(line: CommandLine, *beginnings: str) -> bool:
    return any(given.name.startswith(beginnings) for given in line.options)


def _files(line: CommandLine) -> tuple[str, ...]:
    named = (value for value in line.values(*FILES_OR_NAMES) if value.endswith(".json"))
    return (*line.values(*FILES), *named)
