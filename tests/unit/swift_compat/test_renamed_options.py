"""The table of changes; tests/e2e checks it against the installed ms-swift."""

from toolkit.swift_compat.renamed_options import CHANGES


def test_no_change_is_lost_behind_another():
    seen = [(change.old, change.value) for change in CHANGES]

    assert len(seen) == len(set(seen))
