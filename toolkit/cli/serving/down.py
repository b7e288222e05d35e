"""`toolkit down`: stdout says what ended."""

import click

from toolkit.cli.console import tell
from toolkit.serve.down import down


@click.command()
@click.option("--model-only", is_flag=True, help="Give back the base model's memory; the libraries stay.")
def command(model_only: bool) -> None:
    """End what toolkit up started, and give its memory back.

    Commands that it works for are finished first.
    """
    found = down(model_only=model_only)
    if found is None:
        tell("Nothing is warm.")
    elif model_only:
        tell(f"warm: pid {found['pid']} gave the model's memory back; toolkit down and toolkit up load it again")
    elif found["jobs"]:
        works = ", ".join(f"{job['command']} (pid {job['pid']})" for job in found["jobs"])
        tell(f"warm: pid {found['pid']} ends after {works}")
    else:
        tell(f"warm: pid {found['pid']} ended")
