"""Signatures that are about other files than those beside them are not published."""

from pathlib import Path

import pytest

from tests.fakes.attestable_run import attested, make_attestable_run
from toolkit.core.errors import ConfigError
from toolkit.export.attestation.signatures import require_current_signatures
from toolkit.runs.run import read_run


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    return make_attestable_run(tmp_path / "output")


@pytest.mark.parametrize("kept", ["evidence.sigstore.json", "model.sig"])
def test_each_is_current_until_a_file_beside_it_changes(run: Path, tmp_path: Path, kept: str):
    folder = run / "adapter"
    require_current_signatures(folder, read_run(run))  # there is none yet
    attested(run, tmp_path / "release.key")
    for name in {"evidence.sigstore.json", "model.sig"} - {kept}:
        (folder / name).unlink()
    require_current_signatures(folder, read_run(run))
    (folder / "README.md").write_text("# Another card\n")

    with pytest.raises(ConfigError, match=rf"{kept} is not .* README\.md has changed since it was signed\. Sign again"):
        require_current_signatures(folder, read_run(run))


@pytest.mark.parametrize("name", ["evidence.sigstore.json", "model.sig"])
def test_one_that_cannot_be_read_is_not_pushed(run: Path, name: str):
    (run / "adapter" / name).write_text("{}")

    with pytest.raises(ConfigError, match="cannot be used"):
        require_current_signatures(run / "adapter", read_run(run))
