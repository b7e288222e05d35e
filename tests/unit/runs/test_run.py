"""A run's folder and record: never shared, never half, and true about who still works on it."""

import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.run_record import run_record
from toolkit.core.errors import ConfigError
from toolkit.core.files import is_locked, write_json
from toolkit.runs.layout import NAME, complete_checkpoints
from toolkit.runs.run import (
    create_run_folder,
    find_run,
    list_runs,
    locked,
    point_latest_at,
    read_run,
    write_record,
)

HOLDER = """
import sys
from pathlib import Path
from tests.fakes.run_record import run_record
from toolkit.runs.run import create_run_folder, locked, write_record
folder = create_run_folder(Path(sys.argv[1]))
with locked(folder):
    write_record(folder, run_record(status="running"))
    print(folder, flush=True)
    sys.stdin.read()
"""
MAKER = """
import sys
from pathlib import Path
from toolkit.runs.run import create_run_folder
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    print(create_run_folder(Path(sys.argv[1])).name)
"""


def process(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def run_at(output: Path, number: int, status: str = "finished") -> Path:
    folder = output / f"v{number}-20260101-00000{number % 10}"
    folder.mkdir(parents=True)
    write_record(folder, run_record(status=status))
    return folder


def checkpoint_at(folder: Path, step: int, *, weights: bool = True, state: str | None = "{}") -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    if weights:
        (checkpoint / "adapter_model.safetensors").write_bytes(b"")
    if state is not None:
        (checkpoint / "trainer_state.json").write_text(state)
    return checkpoint


def numbers(names: list[str]) -> list[int]:
    return sorted(int(name[1:].partition("-")[0]) for name in names)


def test_folders_are_numbered_and_dated(tmp_path: Path):
    folders = [create_run_folder(tmp_path / "deep" / "output") for _ in range(3)]

    assert numbers([folder.name for folder in folders]) == [0, 1, 2]
    assert all(NAME.fullmatch(folder.name) for folder in folders)
    assert sorted(path.name for path in (tmp_path / "deep" / "output").iterdir()) == [one.name for one in folders]


def test_the_number_goes_on_behind_the_highest(tmp_path: Path):
    for name in ("v9-20260101-000000", "v10-20260101-000000", "v99", "vacation", "v11-20260101-000000.rejected"):
        (tmp_path / name).mkdir()

    assert create_run_folder(tmp_path).name.startswith("v11-")


def test_threads_never_get_the_same_folder_nor_the_same_number(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: create_run_folder(tmp_path), range(24)))

    assert numbers([folder.name for folder in folders]) == list(range(24))
    assert len(list(tmp_path.iterdir())) == 24


def test_processes_never_get_the_same_folder_nor_the_same_number(tmp_path: Path):
    children = [process(MAKER, tmp_path) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    said = [child.communicate("go\n", timeout=30)[0].split() for child in children]

    assert numbers([name for names in said for name in names]) == list(range(15))


@pytest.mark.parametrize("output", ["/proc/output", "{tmp}/file/output", "{tmp}/file"])
def test_an_output_folder_that_cannot_be_written_is_named(tmp_path: Path, output: str):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"Cannot write to the output folder .*--output"):
        create_run_folder(Path(output.format(tmp=tmp_path)))


def test_a_record_is_replaced_in_one_step(tmp_path: Path):
    write_json(tmp_path / "run.json", {"name": "旧", "rows": list(range(5000))})
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add(json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["name"])

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        write_json(tmp_path / "run.json", {"name": "新", "rows": list(range(5000))})
    stop.set()
    reader.join()

    assert seen <= {"旧", "新"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path):
    write_json(tmp_path / "run.json", {"status": "running"})

    with pytest.raises(TypeError):
        write_json(tmp_path / "run.json", {"status": object()})
    with pytest.raises(UnicodeEncodeError):
        write_json(tmp_path / "run.json", {"status": "\ud800"})

    assert json.loads((tmp_path / "run.json").read_text()) == {"status": "running"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_run_whose_process_was_killed_is_told_from_one_that_goes_on(tmp_path: Path):
    child = process(HOLDER, tmp_path)
    assert child.stdout is not None
    run = read_run(Path(child.stdout.readline().strip()))

    assert (run.status, is_locked(run.folder)) == ("running", True)
    with pytest.raises(ConfigError, match="is being worked on by another process"), locked(run.folder):
        pass

    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert (run.status, is_locked(run.folder)) == ("died", False)
    with locked(run.folder):  # someone may go on with it
        assert run.status == "running"


def test_a_run_that_cannot_be_held_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"Cannot write to .*gone"), locked(tmp_path / "gone"):
        pass


def test_latest_is_relative_and_moves(tmp_path: Path):
    for number in (0, 1):
        point_latest_at(run_at(tmp_path, number))

    assert (tmp_path / "latest").readlink() == Path("v1-20260101-000001")
    assert find_run(None, tmp_path).run_id == "v1-20260101-000001"


def test_without_latest_the_last_finished_run_is_found(tmp_path: Path):
    for number, status in enumerate(("finished", "finished", "failed", "running")):
        run_at(tmp_path, number, status)
    (tmp_path / "latest").symlink_to("v7-20260101-000007")  # thrown away since

    assert find_run(None, tmp_path).run_id == "v1-20260101-000001"


@pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
def test_a_latest_that_points_at_an_unfinished_run_is_passed_over(tmp_path: Path, status: str):
    run_at(tmp_path, 0)
    point_latest_at(run_at(tmp_path, 1, status))

    assert find_run(None, tmp_path).run_id == "v0-20260101-000000"


@pytest.mark.parametrize("name", ["v3", "v3-20260101-000003"])
def test_a_run_that_is_a_link_out_of_the_output_folder_is_refused(tmp_path: Path, name: str):
    elsewhere = run_at(tmp_path / "elsewhere", 3)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / elsewhere.name).symlink_to(elsewhere)

    with pytest.raises(ConfigError, match="is a symbolic link that leads out of"):
        find_run(name, tmp_path / "output")
    assert find_run(str(elsewhere), tmp_path / "output").folder == elsewhere


def test_a_link_of_the_users_own_is_followed(tmp_path: Path):
    elsewhere = run_at(tmp_path / "elsewhere", 3)
    (tmp_path / "mine").symlink_to(elsewhere)

    assert find_run(str(tmp_path / "mine"), tmp_path / "output").folder == elsewhere


@pytest.mark.parametrize("name", ["latest.jsonl", ".cache"])
def test_no_run_begins_beside_a_link(tmp_path: Path, name: str):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="is a symbolic link"):
        create_run_folder(tmp_path / "output")
    assert [path.name for path in (tmp_path / "output").iterdir()] == [name]


def test_no_finished_run_names_those_that_are_not(tmp_path: Path):
    run_at(tmp_path, 0, "failed")
    run_at(tmp_path, 1, "running")

    with pytest.raises(ConfigError, match=r"No finished run .*000000 failed, v1-20260101-000001 died"):
        find_run(None, tmp_path)


def test_a_run_is_found_by_id_by_number_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = run_at(tmp_path / "output", 12)
    run_at(tmp_path / "output", 1)
    monkeypatch.chdir(tmp_path)

    for name in (folder.name, "v12", str(folder), f"output/{folder.name}"):
        assert find_run(name, Path("output")).folder.resolve() == folder


@pytest.mark.parametrize("name", ["v2", "v", "", "v1-", "latest", "..", "nowhere"])
def test_an_unknown_run_names_those_there_are(tmp_path: Path, name: str):
    run_at(tmp_path, 1)

    with pytest.raises(ConfigError, match=rf"No run '{name}'.*Runs there: v1-20260101-000001"):
        find_run(name, tmp_path)


def test_runs_are_listed_by_number_and_what_is_none_is_passed_over(tmp_path: Path):
    for number in (10, 9):
        run_at(tmp_path, number)
    (tmp_path / "v1-20260101-000000").mkdir()
    (tmp_path / "v2-20260101-000000").mkdir()
    (tmp_path / "v2-20260101-000000" / "run.json").write_text('{"schema_version": 1, "sta')
    (tmp_path / "notes").mkdir()

    assert [run.run_id.partition("-")[0] for run in list_runs(tmp_path)] == ["v9", "v10"]
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 2}'])
def test_a_record_of_another_kind_is_refused(tmp_path: Path, content: str):
    (tmp_path / "run.json").write_text(content)

    with pytest.raises(ConfigError, match=r"cannot be read|is not of schema_version 1"):
        read_run(tmp_path)


def test_complete_checkpoints_come_in_the_order_of_their_steps(tmp_path: Path):
    late, early = checkpoint_at(tmp_path, 100), checkpoint_at(tmp_path, 20)
    (tmp_path / "last-checkpoint").symlink_to("checkpoint-100")

    assert complete_checkpoints(tmp_path) == [early, late]


def test_half_checkpoints_do_not_count(tmp_path: Path):
    checkpoint_at(tmp_path, 1, weights=False)
    checkpoint_at(tmp_path, 2, state=None)
    checkpoint_at(tmp_path, 3, state="")  # the disk filled up with the last file
    checkpoint_at(tmp_path, 4, state='{"global_step": ')

    assert complete_checkpoints(tmp_path) == []


def test_a_run_without_a_checkpoint_has_no_adapter(tmp_path: Path):
    run = read_run(run_at(tmp_path, 0, "failed"))

    with pytest.raises(
        ConfigError, match=r"No adapter in .*\(status: failed\)\. Run \"toolkit finetune self_cognition"
    ):
        _ = run.adapter

    assert run.checkpoints == []
    checkpoint_at(run.folder, 4)
    assert run.adapter == run.folder / "checkpoint-4"
