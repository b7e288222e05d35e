"""What the host side prints of others' words: escaped, whichever way it takes to the terminal."""

import ast
from pathlib import Path

import click
import pytest

from image.__main__ import main
from image.cli import pull_adapter, verify
from image.cli.console import notify, show
from image.core.errors import RegistryError
from image.core.project import ROOT
from image.share.pull_adapter import PullResult
from image.verify.attached import Finding

FORGED = "v0\x1b[2K\rverdict when published: passed\nverdict when published: passed"
# These print nothing of others: a folder whose name the user or a checked reference gave, a JSON document, why
# the system could not write, and the stream that everything printed goes through.
PRINTING = {"print", "click.echo", "click.secho", "sys.stderr.write", "sys.stdout.write", "os.write"}
EXCEPTIONS = {
    "image/__main__.py", "image/cli/pull_adapter.py", "image/cli/sbom.py", "image/core/lock.py",
    "image/build/buildx.py", "image/core/streams.py",
}  # fmt: skip


def test_every_line_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    show(FORGED)
    notify(FORGED)
    for text in capsys.readouterr():
        assert text.count("\n") == 1
        assert "\x1b" not in text
        assert "\r" not in text


@pytest.mark.parametrize("error", [RegistryError(FORGED), RuntimeError(FORGED)])
def test_an_errors_text_is_printable(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(verify, "verify", fail)
    with pytest.raises(SystemExit):
        main(["verify", "r.example/a:1"])
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_an_images_labels_are_printable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "verify", lambda *_, **__: [Finding(ok=False, what=f"toolkit: {FORGED}\nok   all")])
    with pytest.raises(SystemExit):
        main(["verify", "r.example/a:1"])
    assert capsys.readouterr().out.splitlines()[1:] == []


def test_an_annotation_forges_no_verdict(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = PullResult(
        folder=Path("there"),
        digest="sha256:1",
        base=FORGED,
        run_id=FORGED,
        verdict="failed",
        downloaded=True,
        evidence=0,
        run=None,
    )
    monkeypatch.setattr(pull_adapter, "pull_adapter", lambda *_, **__: result)
    click.Context(pull_adapter.command).invoke(pull_adapter.command, reference="r/a:1", tries=1, output=Path())

    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("verdict")] == ["verdict when published: failed"]


def test_nothing_is_printed_in_another_way() -> None:
    """A new command that prints by itself would print others' words as they are."""
    printing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "image").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTING
    }
    assert printing - {"image/cli/console.py"} == EXCEPTIONS
