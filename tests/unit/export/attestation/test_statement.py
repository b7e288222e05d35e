"""A statement as a value and as JSON, and evidence that is about other files than those beside it."""

from pathlib import Path

import pytest

from tests.fakes.attestable_run import attested, make_attestable_run
from toolkit.core.errors import ConfigError
from toolkit.export.attestation.statement import Statement, require_current_evidence
from toolkit.runs.run import read_run


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    return make_attestable_run(tmp_path / "output")


def test_a_statement_is_the_same_after_reading(run: Path, tmp_path: Path):
    statement = attested(run, tmp_path / "release.key", subjects=("image@sha256:" + "f" * 64,)).statement

    assert Statement.from_dict(statement.to_dict()) == statement
    assert statement.others == {"image": "f" * 64}


EMPTY = {"_type": 1, "predicateType": 2, "subject": [], "predicate": {}}


@pytest.mark.parametrize("value", [None, [], {}, EMPTY | {"subject": [{"name": "a"}]}, EMPTY | {"subject": None}])
def test_anything_else_is_no_statement(value: object):
    with pytest.raises(ValueError, match="it is not an in-toto statement"):
        Statement.from_dict(value)


def test_a_statement_of_another_kind_is_named():
    with pytest.raises(ValueError, match=r"it states something else \(2\)"):
        Statement.from_dict(EMPTY)


def test_a_predicate_that_lacks_something_is_named(run: Path, tmp_path: Path):
    value = attested(run, tmp_path / "release.key").statement.to_dict()
    del value["predicate"]["verdict"]

    with pytest.raises(ValueError, match="verdict: field required"):
        Statement.from_dict(value)


def test_evidence_is_current_until_a_file_beside_it_changes(run: Path, tmp_path: Path):
    folder = run / "adapter"
    require_current_evidence(folder, read_run(run))  # there is none yet
    attested(run, tmp_path / "release.key")
    require_current_evidence(folder, read_run(run))
    (folder / "README.md").write_text("# Another card\n")

    with pytest.raises(ConfigError, match=r"README\.md has changed since it was signed\. Sign again with"):
        require_current_evidence(folder, read_run(run))


def test_evidence_that_cannot_be_read_is_not_pushed(run: Path):
    (run / "adapter" / "evidence.sigstore.json").write_text("{}")

    with pytest.raises(ConfigError, match="cannot be used"):
        require_current_evidence(run / "adapter", read_run(run))
