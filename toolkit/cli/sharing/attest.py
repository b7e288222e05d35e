"""`toolkit attest`: stdout is the file with the signed verdict."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import GATE_PROBES, OUTPUT, PATH, RUN, RUN_MODEL
from toolkit.export.attest import AttestConfig, attest, sign_statement
from toolkit.export.attestation.keyless import Identity, Keyless
from toolkit.export.attestation.signing import PublicKey

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
@click.option(
    "--keyless", is_flag=True, help="Sign as an identity, with Sigstore (make setup-keyless), not with a key."
)
@click.option("--identity-token", type=PATH, metavar="FILE", help="With --keyless: an OpenID Connect token.  "
              "[default: the one that the CI service gives]")  # fmt: skip
@click.option("--trust-config", type=PATH, metavar="FILE", help="With --keyless: of a Sigstore of your own.")
@click.option("--subject", "subjects", multiple=True, metavar="NAME@sha256:DIGEST",
              help="State it of this too, such as an image with the adapter. Repeatable.")  # fmt: skip
@click.option("--statement", type=PATH, metavar="FILE", help="Sign this in-toto statement instead of RUN's verdict.")
@RUN_MODEL
@GATE_PROBES
@OUTPUT
def command(
    run: str | None, key: Path | None, new_key: bool, keyless: bool, identity_token: Path | None,
    trust_config: Path | None, subjects: tuple[str, ...], statement: Path | None, model: str | None,
    probes: Path | None, output: Path,
) -> None:  # fmt: skip
    """Sign RUN's verdict, for `verify-evidence` and cosign.

    RUN is a run's id or folder, by default the latest finished run. The statement is about the files of its portable
    adapter, which is exported first unless it is there: verdict, figures with intervals, thresholds, and the sha256 of
    data, probes, report and the base model's lock. It is written beside them, as a Sigstore bundle (docs/evidence.md),
    and so is model.sig, the files' signature in the form of OpenSSF Model Signing; publish-adapter and push-to-hub take
    both along. TOOLKIT_KEY_PASSWORD is the password of an encrypted key.
    """
    if keyless and (key or new_key):
        raise click.UsageError("--keyless needs no key.")
    if not keyless and (identity_token or trust_config):
        raise click.UsageError("--identity-token and --trust-config belong to --keyless.")
    if statement is not None:
        if keyless:
            raise click.UsageError("--statement is signed with a key.")
        if run is not None or subjects:
            raise click.UsageError("--statement stands in the place of RUN and --subject.")
        signed = sign_statement(statement, key, new_key=new_key)
        _tell_signer(signed.public_key, signed.signer)
        show(str(signed.path))
        return
    config = AttestConfig(
        run=run, key=key, new_key=new_key, subjects=subjects, model=model, probes=probes, output=output,
        keyless=Keyless(token=identity_token, trust=trust_config) if keyless else None,
    )  # fmt: skip
    with progress() as listener:
        found = attest(config, listener=listener)
    for note in found.notes:
        notify(f"note: {note}")
    notify(f"verdict: {found.statement.predicate.verdict.by_figures}")
    notify(f"its files, for Model Signing: {found.model_signature}")
    _tell_signer(found.public_key, found.signer)
    show(str(found.path))


def _tell_signer(public: Path | None, signer: PublicKey | Identity) -> None:
    if public is None:
        notify(f"signed as {signer.name}, for whom {signer.hint} vouches")
    else:
        notify(f"public key, for those who verify: {public} ({signer.hint})")
