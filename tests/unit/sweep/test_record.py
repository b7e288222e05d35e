"""A sweep.json that anybody may have written: read as a sweep, or one error."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.errors import ConfigError
from toolkit.sweep.record import create_sweep_folder, read_sweep, write_sweep, writing_to

ENTRY = {"recipe": {"name": "article"}, "settings": {}, "run": "v1-20260101-000000"}
SWEEP = {"asked": {"data": "mine.json"}, "started_at": "2026-01-01", "status": "interrupted", "runs": [ENTRY]}


def sweep_at(output: Path, content: object) -> str:
    folder = create_sweep_folder(output)
    (folder / "sweep.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder.name


def test_a_sweep_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = read_sweep(sweep_at(tmp_path, SWEEP), tmp_path)
    write_sweep(found)

    assert read_sweep(found.folder.name, tmp_path).entries == found.entries


@pytest.mark.parametrize(
    "change",
    [
        {"runs": [ENTRY | {"run": run}]} for run in ("../elsewhere/v1-20260101-000000", "/tmp/run", "latest", "", 3, [])
    ] + [{"runs": value} for value in (3, [3], [{}], [ENTRY | {"recipe": "a"}], [ENTRY | {"recipe": {}}],
                                       [ENTRY | {"settings": None}])]
    + [{"asked": value} for value in (None, [], "a")],
)  # fmt: skip
def test_an_odd_sweep_is_an_error_and_no_run_is_a_path(tmp_path: Path, change: dict[str, Any]) -> None:
    name = sweep_at(tmp_path, SWEEP | change)

    with pytest.raises(ConfigError, match=r"sweep\.json cannot be read"):
        read_sweep(name, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, "\0", '{"runs": []}'])
def test_what_is_not_a_sweep_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.json cannot be read"):
        read_sweep(sweep_at(tmp_path, content), tmp_path)


def test_a_full_disk_is_an_error_with_the_way_to_continue(tmp_path: Path) -> None:
    folder = tmp_path / "output" / "sweeps" / "20260101-000000"
    message = r"No space left.*toolkit sweep --resume 20260101-000000 --output "
    with pytest.raises(ConfigError, match=message), writing_to(folder):
        raise OSError(28, "No space left on device")
