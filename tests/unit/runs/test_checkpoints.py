"""Which checkpoint a training continues from: the last one that is intact."""

import json
import struct
import zipfile
from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.runs.checkpoints import damage, last_intact_checkpoint, write_digests

HEADER = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + bytes(8)
FILES = ("adapter_model.safetensors", "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth")


def checkpoint_at(run: Path, step: int, *, digests: bool = True) -> Path:
    """As a training leaves it."""
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / FILES[0]).write_bytes(WEIGHTS)
    (folder / "adapter_config.json").write_text('{"r": 8}')
    (folder / FILES[1]).write_text(json.dumps({"global_step": step}))
    for name in FILES[2:]:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("data", bytes(100))
    if digests:
        write_digests(folder)
    return folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize("digests", [True, False])
def test_an_undamaged_checkpoint_is_found_undamaged(tmp_path: Path, digests: bool) -> None:
    assert damage(checkpoint_at(tmp_path, 2, digests=digests)) is None
    assert damage(checkpoint_at(tmp_path, 4, digests=digests)) is None


def test_a_checkpoint_without_an_optimizer_can_be_resumed_from(tmp_path: Path) -> None:
    """The last one of a training has none."""
    checkpoint = checkpoint_at(tmp_path, 2, digests=False)
    for name in FILES[2:]:
        (checkpoint / name).unlink()
    assert damage(checkpoint) is None
    write_digests(checkpoint)
    assert damage(checkpoint) is None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("act", [flip, cut, Path.unlink, lambda path: path.write_bytes(b"")])
def test_every_damage_is_found_where_there_are_digests(tmp_path: Path, name: str, act) -> None:
    checkpoint = checkpoint_at(tmp_path, 2)
    act(checkpoint / name)

    assert name in str(damage(checkpoint))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("act", [cut, lambda path: path.write_bytes(b"")])
def test_a_file_that_is_cut_off_is_found_without_digests(tmp_path: Path, name: str, act) -> None:
    checkpoint = checkpoint_at(tmp_path, 2, digests=False)
    act(checkpoint / name)

    assert name in str(damage(checkpoint))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 9, struct.pack("<Q", 2**63), struct.pack("<Q", 2) + b"[]",
                                     struct.pack("<Q", 8) + b'{"a": 3}'])  # fmt: skip
def test_what_is_not_a_safetensors_file_is_damage(tmp_path: Path, content: bytes) -> None:
    checkpoint = checkpoint_at(tmp_path, 2, digests=False)
    (checkpoint / FILES[0]).write_bytes(content)

    assert damage(checkpoint) == f"{FILES[0]} is cut off"


def test_damaged_digests_are_as_none(tmp_path: Path) -> None:
    checkpoint = checkpoint_at(tmp_path, 2)
    (checkpoint / "sha256.json").write_text("[3")

    assert damage(checkpoint) is None


def test_the_last_intact_checkpoint_is_taken_and_later_ones_are_put_aside(tmp_path: Path) -> None:
    for step in (2, 4, 6, 10):
        checkpoint_at(tmp_path, step)
    flip(tmp_path / "checkpoint-10" / FILES[0])
    (tmp_path / "checkpoint-6" / FILES[1]).write_text("{")
    (tmp_path / "damaged-checkpoint-6").mkdir()  # of an earlier time
    notes: list[str] = []

    assert last_intact_checkpoint(tmp_path, notes.append) == tmp_path / "checkpoint-4"
    assert [note.partition(";")[0] for note in notes] == [
        "Warning: checkpoint-10 is damaged (adapter_model.safetensors has changed)",
        "Warning: checkpoint-6 is damaged (trainer_state.json has changed)",
    ]
    assert all(note.endswith("; the training continues from checkpoint-4.") for note in notes)
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint-2", "checkpoint-4", "damaged-checkpoint-6", "damaged-checkpoint-10",
    }  # fmt: skip
    assert last_intact_checkpoint(tmp_path, notes.append) == tmp_path / "checkpoint-4"
    assert len(notes) == 2


def test_without_an_intact_checkpoint_the_error_says_what_is_wrong_and_nothing_moves(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no checkpoint to resume from\. Start a new run"):
        last_intact_checkpoint(tmp_path, print)
    cut(checkpoint_at(tmp_path, 2) / FILES[2])
    with pytest.raises(ConfigError, match=r"no checkpoint to resume from \(checkpoint-2: optimizer\.pt has changed\)"):
        last_intact_checkpoint(tmp_path, print)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]
