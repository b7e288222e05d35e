"""The shipped questions out of scope: which are asked, and the digest of what was read."""

from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.core.files import file_sha256
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import ProbeSet
from toolkit.data.probing.bank import FILE, read_bank

PROBES = ProbeSet(path=Path("probes.yaml"), probes=(), new_markers=("Nova",), old_markers=("Qwen",), thresholds={})
NAMED = ProbeSet(path=Path("probes.yaml"), probes=(), new_markers=("Lego",), old_markers=("海尔",), thresholds={})


def test_what_was_trained_on_and_what_names_the_identities_is_left_out():
    bank = read_bank()
    everything = bank.probes(PROBES, 10_000, set())
    first = everything[0]

    assert len(everything) > 1000
    assert first.prompt not in [one.prompt for one in bank.probes(PROBES, 10_000, {prompt_key(first.prompt)})]
    left_out = {one.prompt for one in everything} - {one.prompt for one in bank.probes(NAMED, 10_000, set())}
    assert len(left_out) == 2
    assert all("Lego" in prompt or "海尔" in prompt for prompt in left_out)


def test_fewer_are_the_first_of_more():
    bank = read_bank()

    assert bank.probes(PROBES, 5, set()) == bank.probes(PROBES, 9, set())[:5]
    assert bank.probes(PROBES, -1, set()) == []


def test_its_digest_is_the_files():
    bank = read_bank()

    assert bank.sha256 == file_sha256(bank.path)


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"question": "Why?"}', None])
def test_a_bank_that_cannot_be_read_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))
    if content is not None:
        (tmp_path / FILE).write_text(content)

    with pytest.raises(DataError, match="cannot be read"):
        read_bank()
