"""`toolkit lab`: a verdict on each version of a data set, over one load of the base model."""

import json
import signal
from pathlib import Path

from tests.fakes.finetune_user import Call, FinetuneUser, _call, _user, end, heard

__all__ = ["_call", "_user"]  # fixtures
WAITS = "Waiting for a change of mine.json"


def reports(user: FinetuneUser) -> list[Path]:
    return sorted(user.output.glob("v*/compare/report.json"))


def test_a_new_verdict_comes_whenever_the_data_are_saved(user: FinetuneUser):
    working = user.starts("lab", "mine.json", "--model", str(user.model), "--recipe", "article", "--epochs", "1")
    try:
        said = heard(working, WAITS)
        user.writes("mine.json", "[]")
        said += heard(working, WAITS)
        user.writes("mine.json", json.dumps([{"query": "1 + 1?", "response": "Two!"}] * 5))
        said += heard(working, WAITS)
        working.send_signal(signal.SIGINT)
        ended = end(working)
    finally:
        working.kill()

    assert ended.code in {20, 22}
    assert len(reports(user)) == 2
    assert said.count("Error: ") == 1
    assert "has no rows" in said
    report, changed = ended.out.split("Since the last round (v0-")
    assert "before" in report  # the base model's answers, as compare prints them
    assert "Figures that differ: " in changed or "No figure and no answer differs." in changed
    assert "before" not in changed
    first, second = (user.record(number) for number in range(2))
    assert (first["status"], second["status"]) == ("finished", "finished")
    assert first["base_model"] == second["base_model"]
    assert second["data"]["rows"] == 5
    assert second["timings_s"]["load"] < first["timings_s"]["load"]


def test_an_error_that_no_new_version_of_the_data_can_fix_ends_it(user: FinetuneUser, call: Call):
    assert call("lab", "nowhere.json", "--model", user.model).code == 5
    assert call("lab", "mine.json", "--model", "nowhere").code == 3
    assert not user.output.exists()
