"""The tables of measurements in README and docs are those of bench/results, and a change on either side is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECK = (sys.executable, "bench/figures.py", "--check")


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    """The pages, the results and what makes the one of the other."""
    for name in ("bench/results", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "data").mkdir()
    for name in ("README.md", "bench/figures.py", "bench/table.py", "data/bench.json"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def check(checkout: Path) -> tuple[int, str]:
    done = subprocess.run(CHECK, cwd=checkout, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_number_that_was_changed_in_a_page_or_in_the_raw_results_is_found(checkout: Path):
    assert check(checkout) == (0, "")
    change(checkout / "docs/export.md", "| 62 of 100 |", "| 82 of 100 |")
    assert check(checkout) == (1, "docs/export.md: the tables are not those of bench/results. Run: make figures\n")
    change(checkout / "docs/export.md", "| 82 of 100 |", "| 62 of 100 |")
    change(checkout / "bench/results/serve-load-tiny-cpu.json", '"requests_a_s": 10.36', '"requests_a_s": 20.36')
    assert check(checkout) == (1, "docs/serve.md: the tables are not those of bench/results. Run: make figures\n")


def test_a_page_without_the_place_for_its_figures_is_named(checkout: Path):
    change(checkout / "docs/serve.md", "<!-- figures: load -->", "")

    code, said = check(checkout)
    assert code == 1
    assert "docs/serve.md has no place for the figures load" in said
