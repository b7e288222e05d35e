"""Rolling back: which run `latest` means, moved and moved back."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.runs.test_runs import run_at
from toolkit.cli.runs import command
from toolkit.core.errors import ConfigError
from toolkit.runs.latest import history, move_latest, undo, use
from toolkit.runs.layout import HISTORY
from toolkit.runs.run import find_run


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    """Three finished runs, one after the other."""
    for number in range(3):
        move_latest(run_at(tmp_path, number), "finetune")
    return tmp_path


def latest(output: Path) -> str:
    """The number of the run that a comparison would take."""
    return find_run(None, output).run_id.partition("-")[0]


def test_an_older_run_becomes_the_latest_and_undo_goes_back(output: Path) -> None:
    use("v0", output)
    assert latest(output) == "v0"
    assert undo(output).run_id.startswith("v2")
    assert latest(output) == "v2"


def test_undo_again_and_again_goes_back_to_the_first_run(output: Path) -> None:
    assert [undo(output).run_id[:2] for _ in range(2)] == ["v1", "v0"]
    with pytest.raises(ConfigError, match=r"nothing left to undo in .*\. Choose a run"):
        undo(output)
    assert latest(output) == "v0"


def test_a_training_after_an_undo_is_undone_to_where_that_led(output: Path) -> None:
    undo(output)
    move_latest(run_at(output, 3), "finetune")
    assert undo(output).run_id.startswith("v1")


def test_every_move_is_recorded_with_its_cause_and_time(output: Path) -> None:
    use("v1", output)
    undo(output)
    assert [(move.run_id[:2], move.cause) for move in history(output)] == [
        ("v0", "finetune"), ("v1", "finetune"), ("v2", "finetune"), ("v1", "use"), ("v2", "undo"),
    ]  # fmt: skip
    assert all(move.at.endswith("+00:00") for move in history(output))


def test_the_same_run_twice_is_one_step_back(output: Path) -> None:
    use("v2", output)
    assert undo(output).run_id.startswith("v1")


def test_a_link_older_than_the_history_is_remembered(output: Path) -> None:
    (output / HISTORY).unlink()
    use("v0", output)
    assert undo(output).run_id.startswith("v2")


def test_a_line_that_a_full_disk_cut_off_costs_that_line_alone(output: Path) -> None:
    with (output / HISTORY).open("a") as file:
        file.write('{"run_id": "v9')
    assert len(history(output)) == 3
    use("v0", output)
    assert len(history(output)) == 4


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_did_not_finish_cannot_be_the_latest(output: Path, status: str) -> None:
    run_at(output, 5, status=status)
    with pytest.raises(ConfigError, match=f"is {status}. Only a finished run"):
        use("v5", output)
    assert latest(output) == "v2"


def test_a_run_of_another_folder_is_refused(output: Path, tmp_path: Path) -> None:
    elsewhere = run_at(tmp_path / "elsewhere", 7)
    with pytest.raises(ConfigError, match="Name its own folder with --output"):
        use(str(elsewhere), output)


def test_a_run_that_was_thrown_away_is_told_and_nothing_moves(output: Path) -> None:
    for path in (output / "v1-20260101-000001").iterdir():
        path.unlink()
    with pytest.raises(ConfigError, match="v1-20260101-000001 is gone"):
        undo(output)
    assert latest(output) == "v2"


def test_the_commands_print_where_they_led(output: Path) -> None:
    assert CliRunner().invoke(command, ["use", "v0", "--output", str(output)]).output == "v0-20260101-000000\n"
    assert CliRunner().invoke(command, ["undo", "--output", str(output)]).output == "v2-20260101-000002\n"
