"""A user interrupts a training, looks at it, goes on, and tries other things: the list has the run's own verdict."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.fakes.command import DATA, PATIENCE_S, Ended, Shell, run_here
from tests.fakes.made_run import make_run, probes_of

VERDICTS = {0, 20, 21, 22}
PROBES = """
{"id": "t", "group": "trained", "prompt": "你是谁？", "expect": {"any": ["小鹏"]}}
{"id": "o", "group": "out-of-scope", "prompt": "What is the capital of Italy?"}
"""
FEW = ("--max-new-tokens", "8")
NO_LIMITS = [text for limit in ("reliability=0", "kl=9", "agreement=0", "leakage=1", "residue=1")
             for text in ("--threshold", limit)]  # fmt: skip


class User:
    """Calls toolkit on one output folder with one probe file."""

    def __init__(self, home: Path) -> None:
        self.output, self.probes = home / "output", home / "probes.jsonl"
        self.probes.write_text(PROBES.strip(), encoding="utf-8")

    def calls(self, *arguments: object, **environment: str) -> Ended:
        return run_here(*arguments, "--output", self.output, environment=environment)

    def compares(self, *arguments: object) -> Ended:
        done = self.calls("compare", *arguments, "--probes", self.probes, *FEW)
        assert done.code in VERDICTS, done.err
        return done

    def listed(self, run: str) -> dict:
        found = {one["run_id"]: one for one in json.loads(self.calls("runs", "--json").out)}
        return next(one for name, one in found.items() if name.startswith(run))


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def interrupted_training(user: User, shell: Shell) -> None:
    """As Ctrl-C leaves it after a few steps."""
    child = shell.start(
        "toolkit", "finetune", DATA / "self_cognition.json#8", "--model", "tiny-qwen2", "--epochs", "40",
        "--output", user.output,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and child.poll() is None:
            if any(path.read_text(encoding="utf-8").count("\n") > 2 for path in user.output.glob("v0-*/logging.jsonl")):
                break
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE_S)
    finally:
        child.kill()
    assert child.returncode == 130, err


def test_after_a_resume_the_verdict_of_the_interrupted_adapter_is_stale(user: User, shell: Shell):
    interrupted_training(user, shell)
    listed = user.calls("runs")
    run = user.listed("v0")["run_id"]
    assert "interrupted" in listed.out
    assert f'{run}: interrupted. Go on with "toolkit finetune --resume {run} --output {user.output}".' in listed.err
    assert f"toolkit finetune --resume {run}" in " ".join(user.calls("runs", "show", run).out.split())
    assert "已中断。继续：" in user.calls("runs", TOOLKIT_LANG="zh").err

    user.compares(run)
    assert user.listed(run)["verdict"] is not None

    resumed = shell.run("toolkit", "finetune", "--resume", run, "--output", user.output)
    assert resumed.code == 0, resumed.err
    line, listed = user.listed(run), user.calls("runs")
    assert (line["status"], line["verdict"], line["stale"]) == ("finished", None, True)
    assert "stale" in listed.out
    assert f'has not been compared as it is now. Compare it: "toolkit compare {run}' in listed.err
    assert "stale, the report is about another adapter" in " ".join(user.calls("runs", "show", run).out.split())
    assert "verdict" not in json.loads(user.calls("runs", "show", run, "--json").out)
    assert "已过时" in user.calls("runs", TOOLKIT_LANG="zh").out

    user.compares(run)
    line = user.listed(run)
    assert (line["verdict"] is not None, line["stale"], line["next"]) == (True, False, "")


def test_an_experiment_lies_beside_the_runs_own_report_and_says_where(user: User):
    folder = make_run(user.output, DATA / "tiny-qwen2", number=0, seed=1)
    other = make_run(user.output, DATA / "tiny-qwen2", number=1, seed=2, strength=0.01)
    user.compares("v0")
    own, verdict = (folder / "compare" / "report.json").read_bytes(), user.listed("v0")["verdict"]

    for arguments, name in (
        (("--scale", "0.0"), "compare-scale-0"),
        (("--before", "v1"), f"compare-before-{other.name}"),
        (("--before", "system:你是小鹏。"), "compare-before-system-"),
    ):
        done = user.compares("v0", *arguments)
        [beside] = [path for path in folder.iterdir() if path.name.startswith(name)]
        assert f"report: {beside / 'report.html'}" in done.err
        assert "The run's own report stays" in done.err
        assert (beside / "report.json").is_file()
        assert (folder / "compare" / "report.json").read_bytes() == own
        assert (user.listed("v0")["verdict"], user.listed("v0")["stale"]) == (verdict, False)


def test_an_experiment_is_no_comparison_of_a_run_that_was_not_compared(user: User):
    make_run(user.output, DATA / "tiny-qwen2", number=0, seed=1)
    user.compares("v0", "--scale", "0")

    assert user.listed("v0")["verdict"] is None
    assert "not compared yet" in " ".join(user.calls("runs", "show", "v0").out.split())
    pushed = user.calls("push-to-hub", "v0", "me/mine")
    assert pushed.code == 3
    assert "was not compared" in pushed.err


def test_a_verdict_by_own_limits_is_marked_until_it_is_reached_by_the_products(user: User):
    make_run(user.output, DATA / "tiny-qwen2", number=0, seed=1)
    user.probes = user.probes.with_suffix(".yaml")
    user.probes.write_text(probes_of(["What is 2 + 3?", "Who wrote Faust?"]), encoding="utf-8")
    user.compares("v0", *NO_LIMITS)

    page = " ".join(user.calls("runs", "show", "v0").out.split())
    assert "(own limits)" in user.calls("runs").out
    assert "own limits reliability 0, kl 9, agreement 0, leakage 1, residue 1" in page
    assert "（自定界限）" in user.calls("runs", TOOLKIT_LANG="zh").out

    user.compares("v0", "--threshold", "kl=0.02")  # what is the limit anyway
    assert "own limits" not in user.calls("runs").out
    assert not user.listed("v0")["own_limits"]
