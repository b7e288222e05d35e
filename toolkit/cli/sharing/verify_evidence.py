"""`toolkit verify-evidence`: stdout has a line for each demand, and the exit code is 0 only if all are met."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import click

from toolkit.cli import console
from toolkit.cli.console import show_either
from toolkit.cli.console.catalogue import Catalogue
from toolkit.cli.console.chinese import is_asked_for
from toolkit.cli.options import JSON, OUTPUT, PATH
from toolkit.compare.texts import Texts, reason_in
from toolkit.core.text import one_line
from toolkit.export.verify_evidence import Verified, VerifyEvidenceConfig, verify_evidence
from toolkit.runs.comparison import METRICS

CHINESE = Texts("zh")
CATALOGUE = Path(console.__file__).with_name("chinese_evidence.yaml")

EXAMPLES = """\b
Examples:
  $ toolkit verify-evidence output/pulled/finetune-and-prove-adapter-1.0 --policy policy.yaml
  $ toolkit verify-evidence v3 --policy policy.yaml --json
"""


@click.command("verify-evidence", epilog=EXAMPLES)
@click.argument("evidence", metavar="FOLDER")
@click.option("--policy", type=PATH, required=True, metavar="FILE", help="What is demanded (YAML).")
@click.option("--subject", metavar="sha256:DIGEST", help="Demand that it is about this too, such as an image.")
@click.option("--policy-sha256", metavar="DIGEST", help="Refuse any other policy file.")
@OUTPUT
@JSON
@click.pass_context
def command(
    ctx: click.Context,
    evidence: str,
    policy: Path,
    subject: str | None,
    policy_sha256: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Check signed evidence against a policy.

    FOLDER is a portable adapter, as pull-adapter and the hub give it, or a run's folder or id, whose rows, report and
    adapter are then checked too. Its evidence must be signed by one of the policy's keys, every file must be as it was
    signed, and the verdict, thresholds, base model, data and probes as the policy demands (docs/evidence.md).
    FOLDER may also be a file with one signed statement, such as one about an image: only its signature is checked then.
    The exit code is 0 if all of that holds, else 25. Nothing is loaded and nothing is fetched.
    """
    found = verify_evidence(
        VerifyEvidenceConfig(
            evidence=evidence, policy=policy, subject=subject, policy_sha256=policy_sha256, output=output
        )
    )
    show_either(found.to_dict(), lines(found), as_json=as_json)
    ctx.exit(found.exit_code)


def lines(found: Verified) -> Iterator[str]:
    """What the command answers, a line a demand."""
    failed = sum(not check.holds for check in found.checks)
    answer = (
        f"Verified: signed by {found.key.name}, and all {len(found.checks)} checks hold."
        if found.holds and found.key is not None
        else f"Not verified: {failed} of {len(found.checks)} checks failed."
    )
    if not is_asked_for():
        for check in found.checks:
            yield one_line(f"{'' if check.holds else 'FAILED '}{check.subject}: {check.text}")
        yield answer
        return
    for check in found.checks:
        subject = CHINESE(f"metric.{check.subject}.name") if check.subject in METRICS else chinese(check.subject)
        yield one_line(f"{'' if check.holds else '不成立 '}{subject}：{chinese(check.text)}")
    yield chinese(answer)


def chinese(text: str) -> str:
    """A subject, or what is said of it."""
    return _catalogue().part(text)


@cache
def _catalogue() -> Catalogue:
    return Catalogue(CATALOGUE, words=("subjects", "texts"), otherwise=partial(reason_in, CHINESE))
