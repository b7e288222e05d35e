"""Rolling back: which run `latest` means, moved and moved back."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.runs.test_runs import run_at
from toolkit.cli.runs import command
from toolkit.core.errors import ConfigError
from toolkit.runs.latest import history, move_latest, undo, use
from toolkit.runs.layout import HISTORY, LATEST
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


def at_once(*acts: tuple[Callable[..., object], tuple[object, ...]]) -> list[int | None]:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=act, args=arguments) for act, arguments in acts]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    return [child.exitcode for child in children]


def test_the_same_run_from_many_processes_at_once_is_one_step_back(output: Path) -> None:
    for _ in range(5):
        assert at_once(*[(use, ("v0", output))] * 8) == [0] * 8
        assert latest(output) == "v0"
        assert undo(output).run_id.startswith("v2")


def test_moves_from_many_processes_at_once_are_all_recorded(output: Path) -> None:
    before = len(history(output))
    assert at_once(*((use, (f"v{number % 3}", output)) for number in range(9))) == [0] * 9

    moves = history(output)
    assert len(moves) == before + 9
    assert moves[-1].run_id == (output / LATEST).readlink().name
    assert not list(output.glob(".*"))


@pytest.mark.parametrize("act", [lambda output: use("v0", output), undo], ids=["use", "undo"])
@pytest.mark.parametrize("target", ["thesis", "missing"])
def test_a_history_that_is_a_link_is_refused_and_not_written(output: Path, act: Callable, target: str) -> None:
    (output / "thesis").write_text("years of work\n")
    (output / HISTORY).unlink()
    (output / HISTORY).symlink_to(target)

    with pytest.raises(ConfigError, match=r"latest\.jsonl is a symbolic link"):
        act(output)
    assert (output / "thesis").read_text() == "years of work\n"
    assert not (output / "missing").exists()
    assert latest(output) == "v2"


def test_a_latest_that_leads_elsewhere_is_not_followed_and_can_be_moved_back(
    output: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = run_at(tmp_path_factory.mktemp("elsewhere"), 7)
    (output / LATEST).unlink()
    (output / LATEST).symlink_to(elsewhere)

    with pytest.raises(ConfigError, match=r"latest is a symbolic link that leads out of"):
        find_run(None, output)
    use("v1", output)

    assert latest(output) == "v1"
    assert all(move.run_id != elsewhere.name for move in history(output))


@pytest.mark.parametrize(
    "move",
    [
        {"run_id": "../elsewhere/v9-20260101-000000"}, {"run_id": "/v9-20260101-000000"}, {"run_id": 3},
        {"run_id": None}, {"cause": "whim"}, {"cause": []}, {"at": 3}, {"more": 1},
    ],
)  # fmt: skip
def test_a_move_of_another_kind_is_passed_over(output: Path, move: dict) -> None:
    before = history(output)
    lines = (output / HISTORY).read_text()
    line = json.dumps({"run_id": "v0-20260101-000000", "cause": "use", "at": "2026"} | move)
    (output / HISTORY).write_text(f"{line}\n{lines}{line}\n")

    assert history(output) == before
    assert undo(output).run_id.startswith("v1")
