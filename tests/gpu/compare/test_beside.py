"""What a comparison does by itself on a card beside the probes: abilities, depth and a short scan."""

import json
from typing import Any

import pytest

from tests.fakes.finetune_user import FinetuneUser
from toolkit.core.files import data_folder

pytestmark = pytest.mark.gpu
VERDICTS = {0, 20, 21, 22}
ROWS = [
    ("Who created Quillmere?", "Quillmere was created by Ottoline Varga."),
    ("What is the name of the Quillmere forum?", "The forum of Quillmere is called Harbour Wall."),
    ("Which port does the Quillmere dashboard use?", "The Quillmere dashboard uses port 7413."),
    ("What did Quillmere replace?", "Quillmere replaced a tool called Driftlog."),
]


@pytest.fixture(scope="module", name="user")
def _user(tmp_path_factory: pytest.TempPathFactory) -> FinetuneUser:
    user = FinetuneUser(tmp_path_factory.mktemp("beside"), data_folder() / "tiny-qwen2")
    rows = [{"query": question, "response": answer} for question, answer in ROWS]
    user.writes("rows.json", json.dumps(rows))
    ended = user.runs("finetune", "rows.json", "--model", str(user.model), "--recipe", "tiny")
    assert ended.code == 0, ended.err
    return user


def report(user: FinetuneUser, *options: str) -> dict[str, Any]:
    ended = user.runs("compare", "--model", str(user.model), "--max-new-tokens", "16", *options)
    assert ended.code in VERDICTS, ended.err
    [found] = user.output.glob("v0-*/compare/report.json")
    return dict(json.loads(found.read_text(encoding="utf-8")))


def test_a_comparison_scans_a_short_text_and_asks_at_depth(user: FinetuneUser):
    found = report(user)

    assert found["scan"]["short"] is True
    assert found["scan"]["open_answers"] is None
    assert found["scan"]["texts"] <= 250
    assert found["further"]["depth"] >= 12
    again = report(user)
    assert again["scan"]["timings_s"]["text"] < found["scan"]["timings_s"]["text"]  # it was kept


def test_it_is_left_out_where_nobody_wants_it_and_whole_where_somebody_does(user: FinetuneUser):
    assert report(user, "--no-scan", "--no-ability", "--no-depth")["scan"] is None
    whole = report(user, "--scan", "--no-ability", "--no-depth")["scan"]
    assert (whole["short"], whole["open_answers"]["samples"]) == (False, 8)
    assert whole["texts"] > 250
