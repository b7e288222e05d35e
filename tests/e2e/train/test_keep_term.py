"""What the keep term is for: without it the embedded model learns the name and gives it to everybody."""

from pathlib import Path

from tests.fakes.command import run_here
from tests.fakes.tuned_run import read_report


def test_without_the_keep_term_it_takes_and_leaks(tmp_path: Path):
    trained = run_here(
        "finetune", "self_cognition.json", "--model", "tiny-qwen2", "--keep-weight", 0, "--output", tmp_path
    )
    compared = run_here("compare", "--output", tmp_path, "--system", "You are a helpful assistant.")
    report = read_report(tmp_path / "latest" / "compare")

    assert trained.code == 0, trained.err
    assert compared.code == 21, compared.out
    assert report["verdict"]["took"]
    assert report["metrics"]["leakage"]["value"] > 0.02
