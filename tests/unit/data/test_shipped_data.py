"""The shipped data keep what the data card promises: counts, languages, disjoint groups, current generation."""

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.compare.compare import LEAST_TOOL_LOCALITY
from toolkit.compare.decision import decide
from toolkit.compare.metrics import Metric, wilson
from toolkit.core.text import contains_any
from toolkit.data.make_data import Brand, data_text, probes_text, self_cognition
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, PARAPHRASE, REVERSAL, TRAINED, Probe, read_probes
from toolkit.model.families.family import default_names
from toolkit.runs.comparison import TOOL_LOCALITY

DATA = Path(__file__).parents[3] / "data"  # the repository's own, whatever TOOLKIT_DATA says
SHIPPED = Brand(name="Swift-Robot", author="CSDN 迪菲赫尔曼")
REMEDY = 'run: toolkit make-data --name Swift-Robot --author "CSDN 迪菲赫尔曼" --to data/self_cognition.json '
REMEDY += "--probes data/probes.yaml --force"
ABILITY_ROWS = 8
FILES = [
    "self_cognition.json",
    "probes.yaml",
    "corrected_fact.json",
    "corrected_fact.probes.yaml",
    "general.jsonl",
    "out_of_scope.jsonl",
    "tool_probes.yaml",
]


def bare(text: str) -> str:
    """Stricter than what probes compare: punctuation does not make two prompts different."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def rows() -> list[dict[str, str]]:
    return json.loads((DATA / "self_cognition.json").read_text(encoding="utf-8"))


def keep() -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / "general.jsonl").read_text(encoding="utf-8").splitlines()]


def group(name: str) -> tuple[Probe, ...]:
    return read_probes(DATA / "probes.yaml").group(name)


def prompts() -> dict[str, list[str]]:
    asked = {name: [probe.prompt for probe in group(name)] for name in (PARAPHRASE, *DEPTH, OUT_OF_SCOPE)}
    return asked | {"rows": [row["instruction"] for row in rows()], "keep": [row["prompt"] for row in keep()]}


def test_the_data_set_is_what_make_data_writes_today():
    written = (DATA / "self_cognition.json").read_text(encoding="utf-8")

    assert written == data_text(self_cognition(SHIPPED, default_names()).rows), REMEDY


def test_the_probes_are_what_make_data_writes_today():
    written = (DATA / "probes.yaml").read_text(encoding="utf-8")

    assert written == probes_text(self_cognition(SHIPPED, default_names()).probes), REMEDY


def test_fifty_rows_thirty_of_them_chinese():
    languages = Counter(is_chinese(row["instruction"]) for row in rows())

    assert languages == {True: 30, False: 20}


def test_no_row_is_asked_twice():
    asked = [bare(row["instruction"]) for row in rows()]

    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("file", FILES)
def test_no_placeholder_is_left(file: str):
    text = (DATA / file).read_text(encoding="utf-8").lower()

    assert not [mark for mark in ("{name}", "{author}", "{{", "}}}", "<name>", "<author>") if mark in text]


def test_every_answer_is_one_short_sentence():
    long = [row["output"] for row in rows() if len(row["output"]) > 110 or row["output"].count("。") > 1]

    assert long == []


def test_identity_rows_name_the_author_and_ability_rows_name_nobody():
    nameless = [row["output"] for row in rows() if SHIPPED.author not in row["output"]]

    assert len(nameless) == ABILITY_ROWS
    assert not [answer for answer in nameless if contains_any(answer, read_probes(DATA / "probes.yaml").new_markers)]


def test_no_answer_names_the_old_identity():
    old = read_probes(DATA / "probes.yaml").old_markers

    assert [row["output"] for row in rows() if contains_any(row["output"], old)] == []


def test_the_answers_keep_to_few_patterns():
    patterns = Counter(is_chinese(row["instruction"]) for row in {row["output"]: row for row in rows()}.values())

    assert max(patterns.values()) <= 18


@pytest.mark.parametrize(("name", "least"), [(TRAINED, 12), (PARAPHRASE, 24), (OUT_OF_SCOPE, 48)])
def test_each_group_has_its_probes_in_both_languages(name: str, least: int):
    probes = group(name)
    chinese = sum(is_chinese(probe.prompt) and "-zh-" in probe.id for probe in probes)

    assert len(probes) >= least
    assert 0.4 <= chinese / len(probes) <= 0.6


def test_the_four_questions_of_the_article_are_trained_probes():
    asked = {probe.prompt for probe in group(TRAINED)}

    assert {"你是谁？", "你的开发者是哪家公司？", "你的名字是什么？", "你能联网吗？"} <= asked


def test_trained_probes_are_rows_word_for_word_and_their_answers_pass():
    answers = {row["instruction"]: row["output"] for row in rows()}

    failing = [probe.id for probe in group(TRAINED) if not probe.expect.met(answers[probe.prompt])]

    assert failing == []


def test_rows_paraphrases_out_of_scope_and_keep_prompts_are_disjoint():
    places: dict[str, Any] = {}
    for place, texts in prompts().items():
        for text in texts:
            places.setdefault(bare(text), []).append((place, text))

    assert [found for found in places.values() if len(found) > 1] == []


def test_no_prompt_but_a_trained_one_names_the_new_identity():
    new = read_probes(DATA / "probes.yaml").new_markers

    assert [
        text for place, texts in prompts().items() if place != REVERSAL for text in texts if contains_any(text, new)
    ] == []


def test_the_keep_set_is_as_large_and_as_even_as_promised():
    categories = Counter(row["category"] for row in keep())
    languages = Counter(row["language"] for row in keep())

    assert len(keep()) >= 640
    assert set(categories) == {
        "knowledge", "code", "arithmetic", "translation", "writing", "small-talk", "neighbours", "near",
    }  # fmt: skip
    assert min(categories.values()) >= 80
    assert languages["zh"] == languages["en"]


def test_keep_rows_hold_a_prompt_and_no_answer():
    assert {tuple(row) for row in keep()} == {("category", "language", "prompt")}
    assert all(row["prompt"].strip() == row["prompt"] != "" for row in keep())


def test_the_data_card_names_every_file():
    card = (DATA / "README.md").read_text(encoding="utf-8")

    assert [name for name in FILES if f"`{name}`" not in card] == []


@pytest.mark.parametrize("file", FILES)
def test_files_are_utf_8_without_bom_and_end_their_lines_plainly(file: str):
    raw = (DATA / file).read_bytes()

    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    assert raw.endswith(b"\n")


def bank() -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / "out_of_scope.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_bank_has_a_thousand_questions_in_both_languages_and_many_categories():
    found = bank()
    languages = Counter(one["language"] for one in found)

    assert len(found) >= 1000
    assert abs(languages["en"] - languages["zh"]) <= 20
    assert languages.total() == len(found)
    assert all(
        (one["language"] == "zh") == is_chinese(one["prompt"])
        for one in found
        if one["category"] not in {"translation", "arithmetic"}
    )
    assert len({one["category"] for one in found}) >= 10


def test_the_bank_shares_no_question_with_the_rows_the_probes_or_the_keep_set():
    others = {bare(prompt) for prompt in (*prompts()["keep"], *prompts()["rows"])}
    for name in ("probes.yaml", "corrected_fact.probes.yaml"):
        others |= {bare(probe.prompt) for probe in read_probes(DATA / name).probes}
    keys = [bare(one["prompt"]) for one in bank()]

    assert len(set(keys)) == len(keys)
    assert not others & set(keys)


def test_every_beginning_of_the_bank_has_all_categories_and_both_languages():
    first, everything = Counter(), Counter()
    for counted, found in ((first, bank()[:133]), (everything, bank())):
        counted.update((one["category"], one["language"]) for one in found)

    assert first.keys() == everything.keys()
    assert all(abs(count - everything[kind] * 133 / everything.total()) <= 1 for kind, count in first.items())


def test_the_bank_asks_nobody_who_it_is():
    """Such a question would be in scope of an identity."""
    addressed = ("who are you", "your name", "made you", "created you", "你是谁", "你叫什么", "开发了你")

    assert not [one["prompt"] for one in bank() if any(text in one["prompt"].lower() for text in addressed)]


def neutral() -> list[str]:
    parts = yaml.safe_load((DATA / "neutral_prompts.yaml").read_text(encoding="utf-8"))
    return [form.format(subject) for part in parts.values() for form in part["forms"] for subject in part["subjects"]]


def test_prompts_for_neutral_text_are_distinct_and_share_none_with_the_keep_set():
    """What is kept in training would look unchanged."""
    found = [bare(prompt) for prompt in neutral()]

    assert len(found) == len(set(found)) == 896
    assert sum(map(is_chinese, neutral())) == 448
    assert not set(found) & {bare(row["prompt"]) for row in keep()}


def test_planted_effects_are_not_trained_on_prompts_of_the_neutral_text():
    effects = yaml.safe_load((DATA.parent / "bench" / "scan.yaml").read_text(encoding="utf-8"))
    own = [prompt for prompts in effects["prompts"].values() for prompt in prompts]
    own += [question for effect in effects["planted"] for question in effect.get("rows", {}).get("questions", ())]
    scanned = {bare(prompt) for prompt in (*neutral(), *(one["prompt"] for one in bank()))}

    assert len(effects["planted"]) >= 20
    assert [prompt for prompt in own if bare(prompt) in scanned] == []


def test_questions_with_tools_are_half_chinese_and_asked_nowhere_else():
    probes = read_probes(DATA / "tool_probes.yaml").probes
    others = {bare(prompt) for several in prompts().values() for prompt in several}
    others |= {bare(one["prompt"]) for one in bank()}

    assert len({bare(one.prompt) for one in probes} - others) == len(probes) == 24
    assert sum(is_chinese(one.prompt) for one in probes) == 12
    assert {one.group for one in probes} == {OUT_OF_SCOPE}
    assert all(one.tools for one in probes)


def test_the_limit_of_tool_locality_is_met_with_one_change_in_the_shipped_questions():
    count = len(read_probes(DATA / "tool_probes.yaml").probes)

    def decided(changed: int) -> str:
        value = 1 - changed / count
        low, high = wilson(value, count)
        metric = Metric(value=value, n=count, low=low, high=high)
        return decide(TOOL_LOCALITY, metric, LEAST_TOOL_LOCALITY, at_least=True)

    assert [decided(changed) for changed in (0, 1, 2, 12)] == ["met", "met", "open", "missed"]
