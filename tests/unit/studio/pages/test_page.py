"""The words of the pages: every one in both languages, none that no page uses; times that both read."""

import re
from pathlib import Path

import pytest

from toolkit.cli.console.failures import phrase
from toolkit.compare.report.figures import WRONG
from toolkit.compare.texts import catalogue
from toolkit.core.events import Progress, Task
from toolkit.runs.record import Status
from toolkit.runs.run import DIED
from toolkit.runs.runs import DAMAGED
from toolkit.studio.commands import FORMATS, HUBS, SETTINGS
from toolkit.studio.jobs import DONE, FAILED, LOST, RUNNING, STOPPED
from toolkit.studio.pages.page import CATALOGUE, TEMPLATES, Reader, language_of, shown_tasks
from toolkit.studio.pages.run_pages import VERDICTS
from toolkit.sweep.record import TRAINED, WAITING
from toolkit.train.recipe import shipped

STUDIO = TEMPLATES.parents[1]
NAMED_BY_VALUES = ("state.", "outcome.", "level.", "action.", "task.", "recipe.", "setting.", "export.", "share.",
                   "nav.", "around.", "train.questions_", "job.result_", "message.", "mark.", "side.")  # fmt: skip
READER = Reader(lang="zh", form_token="x")


def sources() -> str:
    files: list[Path] = [*TEMPLATES.glob("*.jinja"), *STUDIO.rglob("*.py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_every_text_is_in_both_languages():
    for key, texts in catalogue(CATALOGUE).items():
        assert set(texts) == {"en", "zh"}, key
        assert all(isinstance(text, str) and text.strip() for text in texts.values()), key
        names = [set(re.findall(r"\{(\w+)\}", text)) for text in texts.values()]
        assert names[0] == names[1], key


def test_every_text_is_used_and_every_used_text_is_there():
    used = set(re.findall(r"""(?:\bt|texts)\(['"]([\w.]+)['"]""", sources()))
    used |= {key for pair in re.findall(r"'([a-z]+\.\w+)' if [^}]*? else '([a-z]+\.\w+)'", sources()) for key in pair}
    known = set(catalogue(CATALOGUE))

    assert sorted(key for key in used - known if not key.endswith((".", "_"))) == []
    assert sorted(key for key in known - used if not key.startswith(NAMED_BY_VALUES)) == []


def test_every_value_that_is_shown_has_a_text():
    known = set(catalogue(CATALOGUE))
    needed = {
        "state": {RUNNING, DONE, STOPPED, FAILED, LOST, DIED, DAMAGED, *Status.__args__, WAITING, TRAINED},
        "outcome": {word.replace(" ", "_") for word in VERDICTS},
        "recipe": set(shipped()),
        "setting": {name for name, _, _ in SETTINGS},
        "export": set(FORMATS),
        "level": {"error", "warning", "note"},
        "mark": {"passed", "same", "moved", *WRONG},
        "share": set(HUBS),
    }

    assert sorted(f"{kind}.{value}" for kind, values in needed.items() for value in values - {""}
                  if f"{kind}.{value}" not in known) == []  # fmt: skip


@pytest.mark.parametrize(
    ("cookie", "accepted", "lang"),
    [
        ("zh", "en", "zh"),
        (None, "zh-CN,zh;q=0.9", "zh"),
        (None, "en-GB,zh", "en"),
        ("fr", "", "en"),
        ("en", "zh", "en"),
    ],
)
def test_the_readers_choice_goes_before_the_browsers(cookie: str | None, accepted: str, lang: str):
    assert language_of(cookie, accepted) == lang


def test_a_task_has_its_share_and_what_is_left():
    event = Progress(task="Training", done=10, total=40, detail="loss 0.42")
    [shown] = shown_tasks([Task(event=event, began_at=100.0, at=110.0)], READER.texts)

    assert shown == {"name": "训练", "amount": "10 / 40", "share": 0.25, "left": "30 s", "detail": "loss 0.42"}


def test_a_task_of_unknown_length_has_neither():
    [shown] = shown_tasks(
        [Task(event=Progress(task="Elsewhere", done=3), began_at=1, at=2)], READER.texts
    )  # fmt: skip

    assert (shown["name"], shown["amount"], shown["share"], shown["left"]) == ("Elsewhere", "3", None, None)


def test_what_was_found_is_in_the_readers_language():
    reader = Reader(lang="zh", form_token="x", phrase=phrase)
    found = {"level": "error", "message": "no question", "remedy": "", "row": 1}

    assert reader.findings([found]) == [found | {"message": "没有问题"}]
