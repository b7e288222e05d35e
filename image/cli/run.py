"""`image run`: passes on the command's own stdout, stderr and exit code."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from image.cli.console import notify
from image.core.project import DEFAULT_MODEL, NO_MODEL, local_reference
from image.core.suggestion import joined
from image.engine import Port
from image.run.run import RunConfig, run

EXAMPLES = """\b
Examples:
  $ python -m image run -- toolkit finetune self_cognition.json
  $ python -m image run --model tiny-qwen2 -- toolkit compare
  $ python -m image run --network host -- swift sft --dataset AI-ModelScope/alpaca-gpt4-data-zh#500 …
"""
PORTS = 65536
UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}


class Size(click.ParamType[int]):
    """500m, 2g, or a number of bytes."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        number, unit = (value[:-1], UNITS.get(value[-1:].lower())) if value[-1:].isalpha() else (value, 1)
        if unit is None or not number.isdigit() or not int(number):
            self.fail(f"{value!r} is not a size: write 500m, 2g or a number of bytes.", param, ctx)
        return int(number) * unit


class Publish(click.ParamType[Port]):
    """Docker's own syntax, but bound to 127.0.0.1 unless an address is given."""

    name = "[address:]port[:inside]"

    def convert(self, value: str | Port, param: click.Parameter | None, ctx: click.Context | None) -> Port:
        if isinstance(value, Port):
            return value
        found = re.fullmatch(r"(?:(\[[0-9a-fA-F:]+\]|\d+(?:\.\d+){3}):)?(\d{1,5})(?::(\d{1,5}))?", value)
        if found is None or not all(0 < int(port) < PORTS for port in found.groups()[1:] if port):
            self.fail(f"{value!r} is not a port: write 8000, 9000:8000 or 0.0.0.0:9000:8000.", param, ctx)
        host, host_port, container_port = found.groups()
        host = (host or "127.0.0.1").strip("[]")
        return Port(host=host, host_port=int(host_port), container_port=int(container_port or host_port))


@click.command("run", epilog=EXAMPLES, context_settings={"ignore_unknown_options": True})
@click.option("--image", help="The image.  [default: the one built with --model]")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A base model's name, or a folder to mount.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default="output", show_default=True,
              help="The folder with the runs on this host.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default="data", show_default=True,
              help="The folder with your data sets.")  # fmt: skip
@click.option("--gpus", default="auto", show_default=True, help="auto, none, all, or ids: 0,1.")
@click.option("--network", default="none", show_default=True, help="none, bridge or host.")
@click.option("--publish", "port", type=Publish(), help="Publish a port of the command on 127.0.0.1: 8000.")
@click.option("--memory", type=Size(), help="The container's memory limit, such as 24g.")
@click.option("--shm-size", type=Size(), default="2g", show_default=True, help="The size of /dev/shm.")
@click.option("--interactive", "-i", is_flag=True, help="Forward what you type.")
@click.argument("command_line", metavar="COMMAND [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(
    ctx: click.Context, image: str | None, model: str, output: Path, data: Path, gpus: str, network: str,
    port: Port | None, memory: int | None, shm_size: int, interactive: bool, command_line: tuple[str, ...],
) -> None:  # fmt: skip
    """Run COMMAND in the image as your uid, with your output and data folders, and exit with its exit code.

    Files named in COMMAND are mounted where it will look for them. The network is off unless --network or --publish
    turns it on.
    """
    folder = Path(model) if Path(model).is_dir() and "/" in model else None
    config = RunConfig(
        image=image or local_reference(NO_MODEL if folder else model), command=command_line, output=output, data=data,
        base=model, model=folder, gpus=gpus, network=network, port=port, memory_bytes=memory, shm_size_bytes=shm_size,
        interactive=interactive, program=_program(command_line, sys.orig_argv),
    )  # fmt: skip
    ctx.exit(run(config, notify=notify))


def _program(command_line: Sequence[str], called: Sequence[str]) -> str | None:
    """How this host calls the toolkit in the image, for the commands that it suggests; None for another program."""
    before = len(called) - len(command_line)
    if command_line[0] != "toolkit" or list(called[before:]) != list(command_line):
        return None
    return joined([*called[:before], "toolkit"])
