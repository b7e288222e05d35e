"""One command a module, loaded when it is called, so that --help answers in a blink."""

import importlib

import click

from toolkit import __version__

# In the order in which a newcomer meets them; the help shows them so.
COMMANDS = (
    "check", "finetune", "compare", "sweep", "lab", "chat", "serve", "export", "push-to-hub", "runs", "make-data",
    "make-probes", "download", "verify",
)  # fmt: skip
SUMMARIES = {
    "check": "Examine a data set before training on it.",
    "finetune": "Fine-tune a base model with LoRA on a data set.",
    "compare": "Ask the probes before and after, and judge what changed.",
    "sweep": "Try lists of settings, and tell which run to take.",
    "lab": "Fine-tune and compare again each time the data changes.",
    "chat": "Talk to a run, and switch its adapter off and on.",
    "serve": "Serve base and tuned model as an OpenAI-compatible endpoint.",
    "export": "Write a merged model that answers as the adapter does.",
    "push-to-hub": "Put a run's adapter, card and report on the hub.",
    "runs": "List the runs, show one, tell two apart, or go back to one.",
    "make-data": "Write a self-cognition data set for your own brand.",
    "make-probes": "Write a probe file for any data set, to be read and edited.",
    "download": "Fetch a base model at its locked revision.",
    "verify": "Check a base model's files against its lock, offline.",
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is run or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # Click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"toolkit.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in COMMANDS])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="toolkit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:  # read by the boundary, before Click parses
    """Fine-tune a model on one card, and prove what changed."""
