"""`toolkit studio`: stdout is the address to open."""

from pathlib import Path

import click

from toolkit.cli.console import notify, show
from toolkit.cli.console.failures import phrase, shown
from toolkit.cli.options import MODEL, OUTPUT, PATH
from toolkit.studio.desk import Wording
from toolkit.studio.studio import Opened, StudioConfig, studio

EXAMPLES = """\b
Examples:
  $ toolkit studio
  $ toolkit studio --model tiny-qwen2 --port 6006
  $ toolkit studio --token-file ~/.config/finetune-and-prove/studio.token
  $ ssh -N -L 6006:127.0.0.1:6006 root@rented-machine
"""


@click.command(epilog=EXAMPLES)
@MODEL
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address to listen on; 0.0.0.0 for every interface.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True, help="0 for any free port.")
@click.option("--allow-host", "names", multiple=True, metavar="NAME",
              help="A further host name that leads here, such as a proxy's; repeatable.  [default: none]")  # fmt: skip
@click.option("--token-file", type=PATH, metavar="FILE",
              help="Keep the token in this file, which is made for you only; for agents that come back by HTTP.  "
              "[default: a new token each time]")  # fmt: skip
@OUTPUT
def command(
    model: str | None, host: str, port: int, names: tuple[str, ...], token_file: Path | None, output: Path
) -> None:
    """Work on pages in a browser: from a sentence to a verdict.

    Say or bring data, edit its rows, train, read the verdict, and compare runs, in English or Chinese. Every page
    shows the command that does the same. The address on stdout has a token: who has it may use the studio. It sees
    the data files of the current folder and of the output folder.
    Ctrl-C ends it with exit code 0; a training then saves, and can be continued from the page or with --resume.
    """
    config = StudioConfig(
        folder=Path.cwd(), output=output, model=model, host=host, port=port, names=names, token_file=token_file
    )
    studio(config, ready=_print_address, notify=notify, wording=Wording(failure=shown, phrase=phrase))
    notify("Stopped.")


def _print_address(opened: Opened) -> None:
    show(opened.address)
    if opened.exposed:
        notify(
            "Warning: other machines reach this port, without encryption, by the names of --allow-host. "
            "An SSH tunnel is safer."
        )
    notify("Open it in a browser. Ctrl-C stops.")
