"""The Makefile's variables: each value arrives as it was written, and nothing in one runs. Real make, fake programs."""

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from image.core.project import ROOT

CALL = "one call"
RECORDER = f"""#!/bin/sh
printf '%s\\0' '{CALL}' "$@" >> "$RECORD"
"""
# Target → the variables that it hands on, each with an option before it or none.
USES = {
    "studio": {"PORT": "--port", "MODEL": "--model", "OUTPUT": "--output"},
    "mcp": {"MODEL": "--model", "OUTPUT": "--output"},
    "check": {"DATA": "", "MODEL": "--model"},
    "finetune": {"DATA": "", "MODEL": "--model", "CARDS": "--cards", "OUTPUT": "--output"},
    "teach": {"SAY": "", "MODEL": "--model", "OUTPUT": "--output"},
    "compare": {"RUN": "", "MODEL": "--model", "CARDS": "--cards", "OUTPUT": "--output"},
    "scan": {"RUN": "", "MODEL": "--model", "OUTPUT": "--output"},
    "sweep": {"DATA": "", "MODEL": "--model", "CARDS": "--cards", "OUTPUT": "--output"},
    "lab": {"DATA": "", "MODEL": "--model", "OUTPUT": "--output"},
    "chat": {"RUN": "", "MODEL": "--model", "OUTPUT": "--output"},
    "serve": {"RUN": "", "PORT": "--port", "MODEL": "--model", "OUTPUT": "--output"},
    "export": {"RUN": "", "MODEL": "--model", "OUTPUT": "--output"},
    "replay": {"RUN": "", "MODEL": "--model", "OUTPUT": "--output"},
    "bench": {"MODEL": "--model"},
    "make-probes": {"DATA": "", "MODEL": "--model"},
    "download": {"MODEL": ""},
    "verify-model": {"MODEL": ""},
    "push-to-hub": {"RUN": "", "REPO": "", "MODEL": "--model", "OUTPUT": "--output"},
    "attest": {"RUN": "", "MODEL": "--model", "OUTPUT": "--output"},
    "verify-evidence": {"FOLDER": "", "POLICY": "--policy", "OUTPUT": "--output"},
    "build": {"MODEL": "--model"},
    "doctor": {"MODEL": "--model", "OUTPUT": "--output"},
    "verify": {"REF": "", "MODEL": "--model", "POLICY": "--policy"},
    "publish": {"REGISTRY": "", "TAG": "--tag", "RUN": "--with", "MODEL": "--model", "OUTPUT": "--output"},
    "publish-adapter": {"REGISTRY": "", "TAG": "--tag", "RUN": "--run", "OUTPUT": "--output"},
    "pull-adapter": {"REF": "", "OUTPUT": "--output"},
    "sbom": {"MODEL": "--model"},
}
HOSTILE = (
    "my data.json", "x; touch ran", "$(touch ran)", "$$(touch ran)", "$(shell touch ran)", "`touch ran`",
    "a'b.json", 'a"b.json', "a'; touch ran; '", '"; touch ran; "', "a && touch ran", "a | touch ran", "a > ran",
    "* ?", "$HOME", "${HOME}", "~", "a\\b", "a#b", "a\ntouch ran", "数据 文件.json", "%", "-n 1", "",
)  # fmt: skip


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    """The Makefile beside programs that only note their arguments."""
    root = tmp_path / "check out"
    (root / "requirements").mkdir(parents=True)
    for name in ("requirements/runtime.txt", "requirements/dev.txt", "requirements/host.txt", "pyproject.toml"):
        (root / name).touch()
    shutil.copyfile(ROOT / "Makefile", root / "Makefile")
    for name in (".venv/bin/toolkit", ".venv/bin/python", ".host/bin/python"):
        program = root / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(RECORDER)
        program.chmod(0o755)
    (root / ".venv/.ready").touch()
    (root / ".host/.ready").touch()
    return root


def make(checkout: Path, target: str, *definitions: str, environment: dict[str, str] | None = None) -> list[list[str]]:
    """The arguments of each program that the target ran."""
    record = checkout / "record"
    record.unlink(missing_ok=True)
    clean = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    subprocess.run(
        ["make", target, *definitions],
        cwd=checkout, env=clean | {"RECORD": str(record)} | (environment or {}), check=True, capture_output=True,
    )  # fmt: skip
    calls: list[list[str]] = []
    for word in record.read_text().split("\0")[:-1]:
        if word == CALL:
            calls.append([])
        else:
            calls[-1].append(word)
    return calls


def hands_on(arguments: list[str], option: str, value: str) -> bool:
    return (option, value) in pairwise(arguments) if option else value in arguments


@pytest.mark.parametrize("runtime", ["local", "docker"])
@pytest.mark.parametrize("target", USES)
def test_every_value_of_every_variable_arrives_and_runs_nothing(checkout: Path, target: str, runtime: str) -> None:
    before = {path.name for path in checkout.iterdir()} | {"record"}
    values = {name: f"$(shell touch ran)`touch ran`$(touch ran);touch ran 'a\" {name}" for name in USES[target]}
    calls = make(checkout, target, f"RUNTIME={runtime}", *(f"{name}={value}" for name, value in values.items()))

    assert {path.name for path in checkout.iterdir()} == before
    for name, option in USES[target].items():
        assert any(hands_on(call, option, values[name]) for call in calls), name


@pytest.mark.parametrize(("runtime", "image"), [("local", []), ("docker", ["-m", "image", "run"])])
def test_two_runs_side_by_side_are_made_where_the_toolkits_libraries_are(
    checkout: Path, runtime: str, image: list[str]
) -> None:
    """The host beside Docker has what lists runs, and neither scipy nor jinja2."""
    [compared] = make(checkout, "runs", f"RUNTIME={runtime}", "ARGS=compare v0 v1 --lang zh", "OUTPUT=my runs")
    [listed] = make(checkout, "runs", f"RUNTIME={runtime}", "ARGS=diff v0 v1", "OUTPUT=my runs")

    assert compared[: len(image)] == image
    assert "my runs" in compared
    assert compared[(at := compared.index("runs")) : at + 6] == ["runs", "compare", "v0", "v1", "--lang", "zh"]
    assert listed[-6:] == ["runs", "--output", "my runs", "diff", "v0", "v1"]
    assert "image" not in listed


@pytest.mark.parametrize("value", HOSTILE)
def test_any_file_name_works(checkout: Path, value: str) -> None:
    [call] = make(checkout, "check", "RUNTIME=local", f"DATA={value}")

    assert call == ["check", value]
    assert not (checkout / "ran").exists()


@pytest.mark.parametrize("value", HOSTILE[:6])
def test_a_variable_of_the_environment_is_no_code_either(checkout: Path, value: str) -> None:
    [call] = make(checkout, "check", "RUNTIME=local", environment={"DATA": value})

    assert call == ["check", value]
    assert not (checkout / "ran").exists()


def test_a_new_variable_cannot_be_forgotten() -> None:
    """What users set is either in VALUES, and then no line expands it itself, or documented as shell words."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    [values] = re.findall(r"^VALUES := (.*)$", text, re.MULTILINE)
    assert set(re.findall(r"^(\w+) \?=", text, re.MULTILINE)) == {*values.split(), "ARGS", "RUN_ARGS"}
    expanded = {name for name in re.findall(r"(?<!\$)\$\((\w+)\)", text) if name in values.split()}
    assert expanded == {"RUNTIME"}  # in its conditional, where make compares it and no shell sees it


@pytest.mark.parametrize("name", ["RUNTIME", "PYTHON", "TORCH"])
def test_the_settings_of_the_setup_run_nothing_either(checkout: Path, name: str) -> None:
    subprocess.run(
        ["make", "setup", "help", "doctor", f"{name}=$(shell touch ran); touch ran; $$(touch ran)"],
        cwd=checkout, env=os.environ | {"RECORD": os.devnull}, check=False, capture_output=True,
    )  # fmt: skip
    (checkout / ".venv/.ready").unlink()
    subprocess.run(
        ["make", "setup", f"{name}=$(shell touch ran); touch ran; $$(touch ran)"],
        cwd=checkout, env=os.environ | {"RECORD": os.devnull}, check=False, capture_output=True,
    )  # fmt: skip
    assert not (checkout / "ran").exists()


def test_empty_variables_are_left_out(checkout: Path) -> None:
    [call] = make(checkout, "compare", "RUNTIME=local")
    assert call == ["compare"]
    [call] = make(checkout, "publish", "REGISTRY=r.example")
    assert call == ["-m", "image", "publish", "r.example", "--output", "output"]


def test_args_are_shell_words(checkout: Path) -> None:
    """As documented: several options, quoted as in a command."""
    [call] = make(checkout, "finetune", "RUNTIME=local", "ARGS=--epochs 5 --name 'a b'")
    assert call[-4:] == ["--epochs", "5", "--name", "a b"]
