"""A statement as a value and as JSON."""

from pathlib import Path

import pytest

from tests.fakes.attestable_run import attested, make_attestable_run
from toolkit.export.attestation.statement import Statement


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
