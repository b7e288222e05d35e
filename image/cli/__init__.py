"""One command per module, imported only when called, so that --help is fast."""

import importlib
from difflib import get_close_matches

import click

from image.core.language import CHINESE, ENGLISH, language, speak

COMMANDS = {
    "doctor": "Check this host: what is missing, why it matters, how to fix it.",
    "build": "Build the image with a base model baked in, and load it.",
    "run": "Run a command in the image, with your files and your uid.",
    "verify": "Check an image: digest, labels, weights, licence, toolkit.",
    "publish": "Push the image to a registry, and confirm its digest.",
    "publish-adapter": "Push a run's adapter and its report as an OCI artifact.",
    "pull-adapter": "Download a published adapter, and check every file's digest.",
    "sbom": "Print the bill of materials of an image's Python environment.",
}


def _speak(_context: click.Context, _option: click.Parameter, chosen: str) -> None:
    if chosen != language():
        speak(chosen)


LANG = click.Option(
    ["--lang"], type=click.Choice([ENGLISH, CHINESE]), default=language, callback=_speak, is_eager=True,
    expose_value=False, help="The language of messages.  [default: by the environment]",
)  # fmt: skip


class LazyGroup(click.Group):
    """Imports a command's module only to run that command or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # Click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"image.cli.{cmd_name.replace('-', '_')}").command
        if LANG not in command.params:
            command.params.append(LANG)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in COMMANDS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        near = " or ".join(map(repr, get_close_matches(args[0], COMMANDS)))
        raise click.UsageError(f"No such command {args[0]!r}.{f' Did you mean {near}?' if near else ''}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:  # read by __main__, before Click parses it
    """Build, run, verify and publish the image. Runs on the host, next to Docker."""


cli.params.append(LANG)
