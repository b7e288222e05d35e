"""An output folder that somebody else made: no command that writes follows a link out of it.

Every name that a command writes, in a run, beside the runs and in a sweep, is a link to a file, to a folder, or to
nothing yet; afterwards everything outside is byte for byte the same.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.command import Ended, run_here
from tests.fakes.made_run import make_run
from toolkit.core.files import data_folder
from toolkit.runs.layout import LATEST
from toolkit.runs.run import find_run, write_record

TINY = data_folder() / "tiny-qwen2"
PROBES = "schema_version: 1\nprobes:\n  - {id: p0, group: out-of-scope, prompt: Hello}\n"
QUICK = ("article", "--epochs", "1", "--batch-size", "8")
# Folders and files in a run, whether of this version or of what it calls.
IN_RUN = (
    "run.json", ".lock", ".reserve", "error.txt", "args.json", "train.jsonl", "eval.jsonl", "development.jsonl",
    "logging.jsonl", "probes.yaml", "val_dataset.jsonl", "last-checkpoint", "checkpoint-1", "checkpoint-2",
    "checkpoint-1/adapter_config.json", "checkpoint-1/adapter_model.safetensors", "checkpoint-1/optimizer.pt",
    "checkpoint-1/README.md", "checkpoint-1/sha256.json", "runs", "images",
    "compare", "compare/report.json", "compare/report.md", "compare/report.html", "compare/report.junit.xml",
    "compare/scale.json", "compare/scale.svg", "compare/.lock", "compare/.report.json.partial", ".compare.partial",
    *(f"{name}{kind}" for name in ("merged", "adapter") for kind in ("", ".partial", ".old", ".rejected")),
    "merged.partial/.lock", "merged.partial/model.safetensors", "adapter/report.json", "adapter/README.md",
)  # fmt: skip
IN_OUTPUT = ("latest", "latest.jsonl", ".cache", "sweeps", ".latest", ".lock")
RUN = "v0-20260101-000000"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A user's folder with an output folder of somebody else's, and outside it what must stay."""

    home: Path

    @property
    def output(self) -> Path:
        return self.home / "output"

    @property
    def outside(self) -> Path:
        return self.home / "outside"

    def plant(self, name: str, target: str) -> None:
        link = self.output / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(self.outside / target)

    def content_outside(self) -> dict[str, tuple[bytes, int]]:
        files = [path for path in self.outside.rglob("*") if path.is_file()]
        return {str(path): (path.read_bytes(), path.stat().st_mode) for path in files}

    def runs(self, *arguments: str) -> Ended:
        return run_here(*arguments, "--output", str(self.output))


@pytest.fixture(scope="module", name="original")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("original")
    shutil.copytree(TINY, home / "base")
    make_run(home / "output", home / "base", seed=2, strength=0.05)
    (home / "probes.yaml").write_text(PROBES)
    (home / "mine.json").write_text(json.dumps([{"instruction": "Who?", "output": f"I am {n}."} for n in range(8)]))
    outside = home / "outside"
    (outside / "folder").mkdir(parents=True)
    for name in ("thesis.txt", "folder/thesis.txt", "folder/report.json", "folder/.lock", "folder/run.json"):
        (outside / name).write_text("years of work")
        (outside / name).chmod(0o600)
    return home


@pytest.fixture(name="place")
def _place(original: Path, tmp_path: Path) -> Place:
    shutil.copytree(original, tmp_path / "home", symlinks=True)
    return Place(home=tmp_path / "home")


def compares(place: Place) -> Ended:
    return place.runs("compare", "v0", "--probes", str(place.home / "probes.yaml"), "--max-new-tokens", "1")


def compares_scales(place: Place) -> Ended:
    probes = str(place.home / "probes.yaml")
    return place.runs("compare", "v0", "--sweep-scale", "--probes", probes, "--max-new-tokens", "1")


def ranks(place: Place) -> Ended:
    if not (place.output / "v9-20260101-000009").exists():
        shutil.copytree(place.output / RUN, place.output / "v9-20260101-000009", symlinks=True)
    return place.runs("compare", "v9", "v0", "--probes", str(place.home / "probes.yaml"), "--max-new-tokens", "1")


def resumes(place: Place) -> Ended:
    record = place.output / RUN / "run.json"
    if record.is_file() and not record.is_symlink():
        write_record(record.parent, find_run("v0", place.output).record.with_fields(status="interrupted"))
    return place.runs("finetune", "--resume", "v0")


def exports(to: str) -> Callable[[Place], Ended]:
    return lambda place: place.runs("export", "v0", "--to", to, "--probes", str(place.home / "probes.yaml"), "--force")


def pushes(place: Place) -> Ended:
    os.environ["HF_TOKEN"], os.environ["HF_ENDPOINT"] = "hf_token", "http://127.0.0.1:9"
    try:
        return place.runs("push-to-hub", "v0", "me/mine", "--even-if-failed")
    finally:
        del os.environ["HF_TOKEN"], os.environ["HF_ENDPOINT"]


def uses(place: Place) -> Ended:
    return place.runs("runs", "use", "v0")


def undoes(place: Place) -> Ended:
    return place.runs("runs", "undo")


def finetunes(place: Place) -> Ended:
    return place.runs(
        "finetune", str(place.home / "mine.json"), "--model", str(place.home / "base"), "--recipe", *QUICK
    )


def sweeps(place: Place) -> Ended:
    data, base, probes = (str(place.home / name) for name in ("mine.json", "base", "probes.yaml"))
    return place.runs("sweep", data, "--model", base, "--probes", probes, "--recipes", *QUICK)


OF_A_RUN = {
    "compare": compares, "compare --sweep-scale": compares_scales, "compare RUN RUN": ranks,
    "finetune --resume": resumes,
    "export --to merged": exports("merged"), "export --to adapter": exports("adapter"), "push-to-hub": pushes,
    "runs use": uses, "runs undo": undoes,
}  # fmt: skip
OF_THE_OUTPUT = {"finetune": finetunes, "sweep": sweeps, "runs use": uses, "runs undo": undoes}


def test_without_links_these_commands_do_their_work(place: Place) -> None:
    codes = {name: act(place).code for name, act in {**OF_THE_OUTPUT, **OF_A_RUN}.items()}

    # Undo has nothing to undo, resume no checkpoint with rows, and the hub of these tests refuses every connection.
    assert {name for name, code in codes.items() if code not in {0, 20, 21, 22}} <= {
        "runs undo", "finetune --resume", "push-to-hub",
    }, codes  # fmt: skip


@pytest.mark.parametrize("target", ["thesis.txt", "folder", "missing"])
@pytest.mark.parametrize("command", OF_A_RUN)
def test_a_link_at_any_name_in_a_run_leads_no_command_out(place: Place, command: str, target: str) -> None:
    """One link after the other, each in a run that is otherwise as it was."""
    saved = place.home / "saved"
    place.output.rename(saved)
    before = place.content_outside()
    for name in IN_RUN:
        shutil.copytree(saved, place.output, symlinks=True)
        place.plant(f"{RUN}/{name}", target)
        ended = OF_A_RUN[command](place)

        assert place.content_outside() == before, name
        assert not (place.outside / "missing").exists(), name
        assert "This is a bug" not in ended.err, (name, ended.err)
        if not command.startswith("runs"):
            assert ended.code == 3, (name, ended.code, ended.err)
        shutil.rmtree(place.output)


@pytest.mark.parametrize("target", ["thesis.txt", "folder", "missing"])
@pytest.mark.parametrize("name", IN_OUTPUT)
@pytest.mark.parametrize("command", OF_THE_OUTPUT)
def test_a_link_beside_the_runs_leads_no_command_out(place: Place, command: str, name: str, target: str) -> None:
    before = place.content_outside()
    place.plant(name, target)

    ended = OF_THE_OUTPUT[command](place)

    assert place.content_outside() == before
    assert not (place.outside / "missing").exists()
    assert "This is a bug" not in ended.err, ended.err
    if (latest := place.output / LATEST).is_symlink() and name == LATEST and ended.code == 0:
        assert latest.resolve().parent == place.output.resolve()


@pytest.mark.parametrize("target", ["thesis.txt", "folder", "missing"])
def test_a_link_in_a_sweep_is_refused_when_it_goes_on(place: Place, target: str) -> None:
    assert sweeps(place).code == 0
    sweep = next((place.output / "sweeps").iterdir())
    assert place.runs("sweep", "--resume", sweep.name).code == 0
    before, saved = place.content_outside(), place.home / "saved"
    place.output.rename(saved)
    for name in ("", "/sweep.json", "/sweep.html", "/plot.svg", "/anything"):
        shutil.copytree(saved, place.output, symlinks=True)
        place.plant(f"sweeps/{sweep.name}{name}", target)
        ended = place.runs("sweep", "--resume", sweep.name)

        assert (ended.code, place.content_outside()) == (3, before), (name, ended.err)
        assert not (place.outside / "missing").exists(), name
        shutil.rmtree(place.output)


@pytest.mark.parametrize("command", [("make-probes", "mine.json"), ("make-data", "--name", "Nova")])
@pytest.mark.parametrize("target", ["thesis.txt", "missing"])
def test_a_file_that_a_command_makes_replaces_a_link_and_does_not_follow_it(
    place: Place, command: tuple[str, ...], target: str
) -> None:
    before = place.content_outside()
    place.plant("made.json", target)
    arguments = [str(place.home / one) if one == "mine.json" else one for one in command]

    ended = run_here(*arguments, "--to", str(place.output / "made.json"), "--force")

    assert place.content_outside() == before, ended.err
    assert not (place.outside / "missing").exists()
    assert ended.code in {0, 2, 3, 5}, ended.err
