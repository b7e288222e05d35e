"""The command group. A command is one module, imported only when it is called, so `--help` stays fast."""

import ast
import importlib
from itertools import takewhile
from pathlib import Path

import click

from toolkit import __version__
from toolkit.cli.console.chinese import speak
from toolkit.core.spelling import did_you_mean

# In the order in which a newcomer meets them; the help lists them so.
COMMANDS = (
    "studio", "mcp", "check", "finetune", "teach", "compare", "scan", "sweep", "lab", "chat", "serve", "export",
    "push-to-hub", "attest", "verify-evidence", "runs", "replay", "make-data", "make-probes", "download", "verify",
    "launch", "bench", "up", "down",
)  # fmt: skip
ROOMS = ("", "serving", "sharing")


class LazyGroup(click.Group):
    """Imports a command's module only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # Click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(import_name(cmd_name)).command
        return speak(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            found = super().resolve_command(ctx, args)
            _require_one_of_each(found[1], found[2])
            return found
        raise click.UsageError(f"No such command {name!r}.{did_you_mean(name, COMMANDS)}", ctx)

    def invoke(self, ctx: click.Context) -> object:
        """As Click does, but an unknown option of any command suggests the nearest ones."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            raise _with_suggestions(error) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in COMMANDS])


def _require_one_of_each(command: click.Command | None, args: list[str]) -> None:
    """Raises UsageError for two flags of one choice, such as --depth and --no-depth, of which the last would win."""
    given = set(takewhile(lambda one: one != "--", args))
    chosen: dict[str | None, str] = {}
    for option in () if command is None else command.params:
        for flags in (option.opts, option.secondary_opts) if getattr(option, "is_flag", False) else ():
            for flag in given.intersection(flags):
                if chosen.setdefault(option.name, flag) not in flags:
                    from toolkit.cli.options import contradiction

                    raise contradiction(chosen[option.name], flag)


def _with_suggestions(error: click.NoSuchOption) -> click.UsageError:
    """The same error, with suggestions from the options of the command that was called."""
    if error.ctx is None:
        return error
    options = [
        name
        for parameter in error.ctx.command.get_params(error.ctx)
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    ]
    message = f"No such option {error.option_name!r}.{did_you_mean(error.option_name, options)}"
    return click.UsageError(message, error.ctx)


def module_name(command: str) -> str:
    return command.replace("-", "_")


def module_path(command: str) -> Path:
    """Its module, in this room or in one of its inner rooms."""
    here, name = Path(__file__).parent, f"{module_name(command)}.py"
    return next(path for room in ROOMS if (path := here / room / name).is_file())


def import_name(command: str) -> str:
    """`toolkit.cli.sharing.attest`."""
    return ".".join(("toolkit.cli", *module_path(command).relative_to(Path(__file__).parent).with_suffix("").parts))


def summary(name: str) -> str:
    """The first line of a command's help, read from its source: importing it could import torch."""
    source = module_path(name).read_text(encoding="utf-8")
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    command = next(node for node in functions if node.name == "command")
    return (ast.get_docstring(command) or "").partition("\n")[0]


@speak
@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="toolkit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:  # read by toolkit.__main__, before Click parses
    """Fine-tune a model on one card, and prove what changed."""
