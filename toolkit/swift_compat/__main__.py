"""Refuses plain mistakes, prints each change on stderr in one line, then replaces this process by ms-swift's."""

import getpass
import os
import shlex
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from toolkit.core.errors import ToolkitError
from toolkit.swift_compat.command_line import CommandLine, parse
from toolkit.swift_compat.mistakes import ALL_COMMANDS, UsageError, require_command, require_plain
from toolkit.swift_compat.named_sources import hub_names
from toolkit.swift_compat.reach import require_reachable
from toolkit.swift_compat.surroundings import LocalSurroundings
from toolkit.swift_compat.translate import COMMANDS, is_translatable, translate

SECRETS = ("_token", "_secret", "_api_key")


def main(words: list[str] | None = None) -> None:
    """`words`: by default those of this process, as for the script `swift` of a virtual environment."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in {"-h", "--help", "--version"}:
        _print_overview(words)
        sys.exit(0 if words else UsageError.exit_code)
    surroundings = LocalSurroundings()
    try:
        require_command(parse(words), surroundings)
        translation = translate(words, surroundings)
        line = translation.line
        if is_translatable(line):
            require_plain(line, surroundings)
            require_reachable(hub_names(line, surroundings))
    except ToolkitError as error:
        _print_note(str(error))
        sys.exit(error.exit_code)
    for note in translation.notes:
        _print_note(note)
    if line.words() != words:
        sys.stderr.write(f"+ swift {redacted(line)}\n")
    sys.stderr.flush()
    _ensure_user_and_home()
    os.execv(sys.executable, process(line, dict(os.environ)))  # noqa: S606  # no shell


def process(line: CommandLine, environment: dict[str, str]) -> list[str]:
    """The command that ms-swift's own `swift` would start, so that signals and exit codes are the script's own.

    Several processes and configuration files are left to ms-swift's command, which starts torchrun.
    """
    script = _script(line.command)
    if line.has_config or script is None or {"NPROC_PER_NODE", "NNODES"} & environment.keys():
        return [sys.executable, "-P", "-m", "swift.cli.main", *line.words()]
    arguments = [str(script), *line.words()[1:]]
    if line.command == "infer":
        return [sys.executable, "-P", "-m", "toolkit.swift_compat.run_script", *arguments]
    return [sys.executable, *arguments]


def _script(command: str) -> Path | None:
    """The script of the installed ms-swift, found without importing it."""
    spec = find_spec("swift") if command in COMMANDS else None
    if spec is None or spec.origin is None:
        return None
    script = Path(spec.origin).with_name("cli") / f"{command.replace('-', '_')}.py"
    return script if script.is_file() else None


def redacted(line: CommandLine) -> str:
    """As a shell reads it, with secrets masked."""
    hidden = line.changed(
        lambda each: type(each)(flag=each.flag, values=("***",)) if each.name.endswith(SECRETS) else each
    )
    return shlex.join(hidden.words())


def _print_overview(words: list[str]) -> None:
    """What ms-swift's own command lacks: its version, or its commands."""
    swift = f"ms-swift {version('ms-swift')}"
    if words == ["--version"]:
        sys.stdout.write(f"swift, {swift}\n")
        return
    (sys.stdout if words else sys.stderr).write(
        f"Usage: swift COMMAND [OPTIONS]\n\n  {swift}, which also takes the options of ms-swift 2 and 3 here.\n\n"
        f"Commands: {', '.join(ALL_COMMANDS)}\n\nswift COMMAND --help lists a command's options.\n"
    )


def _print_note(note: str) -> None:
    sys.stderr.write(f"swift: {note}\n")


def _ensure_user_and_home() -> None:
    """Sets USER and HOME for an unknown uid, since ms-swift needs both."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"uid{os.getuid()}"
    home = os.environ.get("HOME") or "/"
    if home == "/" or not os.access(home, os.W_OK):
        os.environ["HOME"] = tempfile.mkdtemp(prefix="swift-home-")


if __name__ == "__main__":
    main()
