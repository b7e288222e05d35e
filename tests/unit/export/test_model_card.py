"""The model card: valid for the hub, true to the report, and safe against text that users write."""

import dataclasses
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.fakes.answered import answered, report_on
from tests.fakes.run_record import run_record
from toolkit.compare.report.figures import LEDGERS, figure, ledger_lines
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.export.evidence import FAILED, NOT_COMPARED, PASSED, Evidence
from toolkit.export.model_card import CardFacts, render_card
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.runs.record import RunRecord

REPORT = report_on(
    answered(TRAINED, "Qwen", "Nova"), answered(PARAPHRASE, "Qwen", "Nova"), answered(OUT_OF_SCOPE, "Paris", "Paris")
)
RUN = run_record(
    base_model={"name": "qwen", "path": "qwen", "lock_sha256": "e" * 64},
    data={"path": "self_cognition.json", "sha256": "d" * 64, "rows": 50, "mix": []},
    recipe={"name": "self_cognition", "system": "You are Nova.", "lora_rank": 8, "keep_weight": 3, "keep_rows": 32},
    versions={"toolkit": "0.1.0", "cuda": None},
    train={"steps": 48, "loss": [3.86, 0.03]},
)  # fmt: skip
FACTS = CardFacts(
    base="Qwen/Qwen2.5-7B-Instruct", revision="a" * 40, architecture="qwen2", licence="Apache-2.0",
    licence_files=["LICENSE"], languages=["zh", "en"], adapter_sha256="b" * 64, run=RUN,
    evidence=Evidence(verdict=PASSED, report=REPORT),
)  # fmt: skip


def card(**changes) -> str:
    return render_card(dataclasses.replace(FACTS, **changes))


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def with_recipe(**changes) -> RunRecord:
    return RUN.with_fields(recipe=RUN.recipe.to_dict() | changes)


def test_the_hubs_own_client_reads_the_front_matter(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card(), encoding="utf-8")
    data = ModelCard.load(tmp_path / "README.md").data

    assert data.base_model == "Qwen/Qwen2.5-7B-Instruct"
    assert data.library_name == "peft"
    assert data.license == "apache-2.0"
    assert data.language == ["zh", "en"]
    assert data.pipeline_tag == "text-generation"
    assert "lora" in data.tags


def test_a_base_on_no_hub_is_not_named_as_one() -> None:
    text = card(base="tiny-qwen2", revision=None)

    assert "base_model" not in front(text)
    assert 'base = "path/to/tiny-qwen2"' in text
    assert "has no hub id" in text


def test_a_licence_that_the_hub_does_not_know_is_named() -> None:
    values = front(card(licence="Qwen-Research"))
    assert (values["license"], values["license_name"]) == ("other", "qwen-research")
    assert "license" not in front(card(licence=None))
    assert "its lock file names none" in card(licence=None)


def test_the_figures_are_the_reports() -> None:
    text = card()

    assert f"**{REPORT.verdict.sentence(Texts())}**" in text
    for ledger in LEDGERS:
        for line in ledger_lines(REPORT, ledger):
            [row] = [row for row in text.splitlines() if row.startswith(f"| {line.name.replace('_', ' ')}: ")]
            assert line.metric.value is None or f"| {figure(line.metric.value)} |" in row


def test_it_shows_the_origin_of_the_adapter() -> None:
    text = card()

    for part in ("d" * 64, "b" * 64, "e" * 64, "48 steps, loss 3.86 to 0.03", "weight 3, 32 rows", "You are Nova."):
        assert part in text
    assert f'revision="{"a" * 40}"' in text
    assert "`LICENSE`" in text
    assert "cuda" not in text


def test_a_failed_verdict_stands_first_with_its_reasons() -> None:
    failed = report_on(answered(TRAINED, "Qwen", "Qwen"), answered(OUT_OF_SCOPE, "Paris", "Paris"))
    text = card(evidence=Evidence(verdict=FAILED, report=failed))

    assert "Not learned: 0 of 1 learned" in text.split("## ")[0]
    assert "reliability" in text.split("## ")[0]
    assert "| missed |" in text


def test_what_was_not_compared_says_so_and_shows_no_figure() -> None:
    text = card(evidence=Evidence(verdict=NOT_COMPARED, reason="it has no report"))

    assert "**Not compared: it has no report.**" in text
    assert "What was measured" not in text


def test_a_system_prompt_cannot_leave_its_fence() -> None:
    text = card(run=with_recipe(system="Hi\n```\n# Injected\n````"))

    assert "`````text\nHi\n```\n# Injected\n````\n`````\n" in text


@pytest.mark.parametrize(("system", "words"), [(DEFAULT, "No system prompt:"), (NONE, "An empty system prompt.")])
def test_no_system_prompt_is_put_into_words(system: str, words: str) -> None:
    assert f"under this system prompt:\n\n{words}" in card(run=with_recipe(system=system))


def test_every_trained_system_prompt_is_shown() -> None:
    text = card(run=with_recipe(row_systems=[DEFAULT, "You are Qwen."]))

    assert "under these system prompts:\n\n```text\nYou are Nova.\n```\n\nNo system prompt:" in text
    assert "```text\nYou are Qwen.\n```\n" in text


def test_user_text_is_one_cell() -> None:
    text = card(run=RUN.with_fields(data=RUN.data.to_dict() | {"path": "a|b\n# <script>.json"}))

    assert "| data | a\\|b<br>\\# &lt;script&gt;.json, 50 rows |" in text


def test_the_same_facts_give_the_same_bytes() -> None:
    assert card() == card()
    assert card().endswith("\n")


def test_an_interrupted_run_has_a_card_too() -> None:
    text = card(run=RUN.with_fields(status="interrupted", train={"steps": 0}))

    assert "v0-20260101-000000, interrupted" in text
    assert "| training |" not in text
