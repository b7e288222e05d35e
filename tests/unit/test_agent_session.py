"""The picture of an agent's session is of the answers that were recorded, and of nothing that only one machine has."""

import json
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "docs/agent_session.py"))
CALLS = json.loads(SCRIPT["SESSION"].read_text(encoding="utf-8"))
PICTURE = SCRIPT["PICTURE"].read_text(encoding="utf-8")


def test_the_picture_is_drawn_from_the_session():
    assert SCRIPT["picture"](CALLS) == PICTURE, "draw it again: python docs/agent_session.py --draw"


def test_the_session_leads_from_a_sentence_to_a_verdict_in_the_order_of_the_tools():
    assert [one["tool"] for one in CALLS] == ["make_data", "finetune", "ask"]
    assert CALLS[0]["arguments"] == {"text": SCRIPT["SENTENCE"]}
    assert CALLS[1]["arguments"]["data"] == CALLS[0]["answer"]["data"]
    assert CALLS[1]["answer"]["verdict"]["figures"]


def test_the_picture_loads_nothing_and_names_no_folder_of_the_machine():
    assert re.findall(r"(?:https?:|url\(|@import|href|/tmp|/home)", PICTURE) == ["http" + ":"]  # of the SVG's namespace
    assert "/tmp" not in json.dumps(CALLS)


def test_both_readmes_show_it():
    for name in ("README.md", "README.zh-CN.md"):
        assert "(docs/examples/pictures/agent.svg)" in (ROOT / name).read_text(encoding="utf-8"), name
