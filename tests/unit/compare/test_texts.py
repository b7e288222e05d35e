"""The catalogue: whole in both languages, and every key of it is used."""

import re
from pathlib import Path
from typing import Any

import pytest

import toolkit
from toolkit.compare.texts import LANGUAGES, Texts, catalogue, reason_in
from toolkit.compare.verdict import ABILITY, PROBED, THINKING, THOUGHT, Shortfall
from toolkit.model.conversation import DEFAULT, NONE

PLACES = re.compile(r"\{(\w+)\}")
SOURCES = [
    path.read_text(encoding="utf-8")
    for path in Path(toolkit.__file__).parent.rglob("*")
    if path.suffix in {".py", ".jinja"}
]


def test_every_text_is_there_in_every_language_with_the_same_places_to_fill():
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(isinstance(text, str) and text for text in texts.values()), key
        assert len({frozenset(PLACES.findall(text)) for text in texts.values()}) == 1, key


def test_every_text_is_used():
    """By its whole key, or by a key that is put together from its beginning."""
    code = "\n".join(SOURCES)

    unused = [key for key in catalogue() if not any(named in code for named in ways_to_name(key))]

    assert unused == []


def ways_to_name(key: str) -> list[str]:
    """`"a.b"`, and what f-strings and the template's `~` leave of it."""
    parts = key.split(".")
    heads = [".".join(parts[:at]) + "." for at in range(1, len(parts))]
    return [f"{quote}{key}{quote}" for quote in "\"'"] + [
        f"{quote}{head}{rest}" for head in heads for quote in "\"'" for rest in ("{", "' ~", '" ~')
    ]


def test_places_are_filled():
    assert Texts("en")("verdict.exit_code", code=20) == "exit code 20"
    assert Texts("zh")("verdict.exit_code", code=20) == "退出码 20"


@pytest.mark.parametrize(
    ("count", "english", "chinese"),
    [
        (1, "about 1 more probe would tell", "约再问 1 个问题即可确定"),
        ("1", "about 1 more probe would tell", "约再问 1 个问题即可确定"),
        (2, "about 2 more probes would tell", "约再问 2 个问题即可确定"),
        (0, "about 0 more probes would tell", "约再问 0 个问题即可确定"),
    ],
)
def test_a_noun_is_in_the_number_of_its_count(count, english, chinese):
    assert Texts()("reason.more", count=count) == english
    assert Texts("zh")("reason.more", count=count) == chinese


def test_no_text_has_a_count_with_a_noun_in_the_plural_alone():
    """`1 more probes`: such a noun is written {count:probe|probes}, but for units and for counts that are never 1."""
    never_one = {"scan", "thinking.outcome", "ability", "about.further_counts", "test.meaning"}
    nouns = "answers|items|probes|prompts|questions|requests|rows|runs|steps|texts|tokens"
    counts = "count|n|rows|steps|runs|questions|answers|texts|total"
    counted = re.compile(rf"\{{(?:{counts})\}} (?:[a-z]+ ){{0,2}}?(?:{nouns})\b")
    found = [key for key, texts in catalogue().items() if counted.search(texts["en"])]

    assert [key for key in found if not key.startswith((*never_one, "why."))] == []


def test_braces_are_left_alone_where_nothing_is_to_be_filled():
    assert Texts()("title") == catalogue()["title"]["en"]


@pytest.mark.parametrize("system", [None, DEFAULT, NONE, "You are A. It is 3, below 4 (system prompt: none).\nYes"])
@pytest.mark.parametrize(
    "counted",
    [{}, {"decision": "open"}, {"decision": "open", "more": 1}, {"decision": "open", "more": 30, "left": 8}],
)
@pytest.mark.parametrize("value", [0.2, 0.8])
def test_a_recorded_reason_is_found_in_the_other_language(value: float, counted: dict[str, Any], system: str | None):
    for metric in (*PROBED, ABILITY, THINKING, THOUGHT):
        one = Shortfall(metric=metric, value=value, limit=0.5, system=system, low=0.1, high=0.9, **counted)

        assert reason_in(Texts("zh"), one.reason(Texts())) == one.reason(Texts("zh"))
        assert reason_in(Texts(), one.reason(Texts())) == one.reason(Texts())


@pytest.mark.parametrize("key", [one for one in catalogue() if re.match(r"reason\.(took|kept)_", one)])
def test_why_a_half_was_not_judged_is_found_too(key: str):
    texts = [Texts(language)(key, gained=1, lost=0, n=128, p="0.5") for language in ("en", "zh")]

    assert reason_in(Texts("zh"), texts[0]) == texts[1] != texts[0]


def test_that_too_few_probes_tell_nothing_is_found_too():
    one = Shortfall(metric="kl", value=0.2, limit=0.5, system=None, low=0.2, high=0.2, decision="open", more=39)

    assert "tells nothing" in one.reason(Texts())
    assert reason_in(Texts("zh"), one.reason(Texts())) == one.reason(Texts("zh"))


def test_a_reason_of_an_older_version_is_found_too():
    one = Shortfall(metric="kl", value=0.2, limit=0.5, system=None, low=0.1, high=0.9, decision="open", more=1)
    older = one.reason(Texts()).replace("more probe would", "more probes would")

    assert older != one.reason(Texts())
    assert reason_in(Texts("zh"), older) == one.reason(Texts("zh"))


def test_another_versions_reason_stays_as_it_is():
    for text in ("reliability fell to 0.2", "reliability is 0.875, under 0.9"):
        assert reason_in(Texts("zh"), text) == text
