"""`toolkit attest`: stdout is the file with the signed verdict."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import GATE_PROBES, OUTPUT, PATH, RUN, RUN_MODEL
from toolkit.export.attest import AttestConfig, attest

EXAMPLES = """\b
Examples:
  $ toolkit attest v3 --new-key
  $ toolkit attest v3 --key release.key --subject ghcr.io/me/tuned@sha256:…
"""


@click.command("attest", epilog=EXAMPLES)
@RUN
@click.option("--key", type=PATH, metavar="FILE", help="Private key (ECDSA P-256, PEM).  "
              "[default: finetune-and-prove/evidence.key in ~/.config]")  # fmt: skip
@click.option("--new-key", is_flag=True, help="Make the key pair first: the private key, and beside it the .pub file.")
@click.option("--subject", "subjects", multiple=True, metavar="NAME@sha256:DIGEST",
              help="State it of this too, such as an image with the adapter. Repeatable.")  # fmt: skip
@RUN_MODEL
@GATE_PROBES
@OUTPUT
def command(
    run: str | None, key: Path | None, new_key: bool, subjects: tuple[str, ...], model: str | None,
    probes: Path | None, output: Path,
) -> None:  # fmt: skip
    """Sign RUN's verdict, for `verify-evidence` and cosign.

    RUN is a run's id or folder, by default the latest finished run. The statement is about the files of its portable
    adapter, which is exported first unless it is there: verdict, figures with intervals, thresholds, and the sha256 of
    data, probes, report and the base model's lock. It is written beside them, as a Sigstore bundle (docs/evidence.md);
    publish-adapter and push-to-hub take it along. TOOLKIT_KEY_PASSWORD is the password of an encrypted key.
    """
    config = AttestConfig(
        run=run, key=key, new_key=new_key, subjects=subjects, model=model, probes=probes, output=output
    )  # fmt: skip
    with progress() as listener:
        found = attest(config, listener=listener)
    for note in found.notes:
        notify(f"note: {note}")
    verdict = found.statement.predicate.verdict
    notify(f"verdict: {'passed' if verdict.passed else 'failed'}")
    notify(f"public key, for those who verify: {found.public_key} ({found.key.public.hint})")
    show(str(found.path))
