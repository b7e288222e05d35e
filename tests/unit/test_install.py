"""The set-up's own script: what it says before it fetches, which torch it takes, and how it counts."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements/install.py"
LINES = [
    "Collecting click==8.4 (from -r runtime.txt (line 3))",
    "  Downloading click-8.4-py3-none-any.whl (108 kB)",
    "Ignoring colorama: markers do not match",
    "Requirement already satisfied: rich==15 in ./.venv",
    "Installing collected packages: click",
    "ERROR: no space left",
]


@pytest.fixture(name="script")
def _script():
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="installed")
def _installed(script, monkeypatch, tmp_path):
    """What would be installed, on a machine with or without a card, where pip offers a CPU build or not."""

    def run(*arguments: str, card: bool = False, offers: bool = True) -> tuple[int, list[str]]:
        done: list[str] = []
        monkeypatch.setattr(script, "has_card", lambda: card)
        monkeypatch.setattr(script, "pip_offers", lambda _: offers)
        monkeypatch.setattr(script, "install", lambda file, *_: done.append(file) or 0)
        answer = type("Done", (), {"returncode": 0})
        monkeypatch.setattr(script, "pip", lambda *words: done.append(words[-1]) or answer)
        return script.main(list(arguments)), done

    return run


def test_without_a_card_torch_is_the_cpu_build_if_pip_offers_it(installed, script, capsys):
    version = script.torch_version()

    assert installed("toolkit") == (0, ["build.txt", "runtime.txt", f"torch=={version}+cpu"])
    assert capsys.readouterr().err == (
        "setting up .venv: 274 MB of libraries, and torch for the CPU (191 MB): there is no NVIDIA driver here\n"
    )


def test_else_it_is_that_of_cuda_and_the_smaller_one_is_named(installed, script, capsys):
    assert installed("toolkit", offers=False)[1][-1] == f"torch=={script.torch_version()}"
    assert "PIP_EXTRA_INDEX_URL" in capsys.readouterr().err
    assert installed("toolkit", card=True)[1][-1] == f"torch=={script.torch_version()}"
    err = capsys.readouterr().err
    assert "torch with CUDA (2.7 GB): for the card here" in err
    assert "PIP_EXTRA_INDEX_URL" not in err


def test_a_torch_that_was_asked_for_is_taken(installed):
    assert installed("toolkit", "/tmp/torch.whl")[1][-1] == "/tmp/torch.whl"


def test_the_workshop_is_apart(installed):
    assert installed("workshop") == (0, ["dev.txt"])


def test_a_disk_that_is_too_small_is_refused_before_anything_is_fetched(installed, script, monkeypatch, capsys):
    monkeypatch.setattr(script.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10**9}))
    monkeypatch.setattr(script, "HERE", script.HERE.parent / "data")  # which has no .venv beside it
    monkeypatch.setattr(script, "torch_version", lambda: "1")
    monkeypatch.setattr(script.Path, "is_file", lambda _: False)

    assert installed("toolkit") == (3, [])
    assert ".venv needs 2.2 GB, 1.0 GB are free" in capsys.readouterr().err


def test_progress_is_counted_and_the_last_lines_are_kept(script, capsys):
    last = script.follow(LINES, 2, script.say)

    assert capsys.readouterr().err == "  1 of 2: click\n  2 of 2: rich\n  unpacking\n"
    assert last == [line.rstrip() for line in LINES]


def test_a_package_of_a_long_list_is_shown_each_tenth(script, capsys):
    script.follow([f"Collecting p{n}==1" for n in range(100)], 100, script.say)

    assert len(capsys.readouterr().err.splitlines()) == 10


def test_on_a_terminal_one_line_is_written_over(script, capsys, monkeypatch):
    monkeypatch.setattr(script, "say_over", lambda text: print(f"\r{text}", end=""))

    script.follow(LINES, 2, script.say_over)

    assert capsys.readouterr().out == "\r  1 of 2: click\r  2 of 2: rich\r  unpacking"
