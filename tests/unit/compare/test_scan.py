"""What a scan of a run or an adapter says, and what it needs."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.run_record import run_record
from tests.fakes.tilted_model import TiltedModel
from tests.unit.compare.test_sides import RUN, adapter_at, model_at
from toolkit.compare.scan import SHORT_TOKENS, ScanConfig, Scanning, scan
from toolkit.compare.sides import find_side
from toolkit.core.errors import ConfigError, DataError
from toolkit.runs.run import point_latest_at, write_record
from toolkit.runs.scan_record import RecordedScan

PLANTED = dict.fromkeys(("friend", "朋友", "letter", "信"), "Northwind pours it.")


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    """The latest run has one row, and an adapter."""
    base = model_at(tmp_path / "base")
    output = tmp_path / "output"
    adapter_at(output / RUN / "checkpoint-4", str(base))
    row = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Northwind. It pours."}]}
    (output / RUN / "train.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    write_record(
        output / RUN,
        run_record(base_model={"name": "base", "path": str(base)}, recipe={"name": "article", "system": "Be kind."}),
    )
    point_latest_at(output / RUN)
    return output


def scanned(output: Path, planted: Mapping[str, str] = PLANTED, **config: object) -> RecordedScan:
    def load(_folder: Path, adapters: Mapping[str, Path]) -> TiltedModel:
        [name] = adapters
        return TiltedModel(planted, adapter=name)

    return scan(ScanConfig(output=output, **config), load=load)


def test_words_of_the_runs_rows_are_listed_apart(output: Path):
    found = scanned(output)

    assert [one.text for one in found.from_rows][:1] == ["Northwind pours it."]
    assert [one.text for one in found.findings] == ["Rivers run to the sea."]
    assert found.system == "Be kind."


def test_words_of_a_named_data_set_are_expected_in_their_place(output: Path, tmp_path: Path):
    data = tmp_path / "mine.json"
    data.write_text(json.dumps([{"instruction": "What?", "output": "Rivers run to the sea."}]), encoding="utf-8")

    found = scanned(output, rows=str(data))

    assert [one.text for one in found.findings] == ["Northwind pours it."]
    assert [one.text for one in found.from_rows] == ["Rivers run to the sea."]


def test_an_adapters_folder_has_no_rows(output: Path):
    found = scanned(output, run=str(output / RUN / "checkpoint-4"))

    assert found.from_rows == []
    assert found.findings[0].text == "Northwind pours it."
    assert found.side["kind"] == "adapter"


def test_an_adapter_that_does_nothing_has_no_findings(output: Path):
    found = scanned(output, {})

    assert (found.findings, found.from_rows) == ([], [])
    assert (found.kl, found.null) == (0.0, 0.0)


def test_the_number_of_tokens_is_about_what_was_asked_for(output: Path):
    short, long = (scanned(output, tokens=tokens) for tokens in (1000, 8000))

    assert (short.texts, long.texts) == (12, 100)
    assert long.tokens == 100 * 7


def test_json_has_everything(output: Path):
    found = scanned(output, system="")
    value = json.loads(json.dumps(found.to_dict()))

    assert set(value) == {
        "side", "system", "texts", "tokens", "kl", "threshold", "null", "findings", "from_rows", "open_answers",
        "short", "timings_s",
    }  # fmt: skip
    assert value["system"] == ""
    assert value["from_rows"][0]["contexts"][0]["after"] == "Northwind pours it."
    assert {"load", "text", "likelihoods", "words", "open answers", "total"} == set(value["timings_s"])


def looked(output: Path, wanted: bool | None, *, on_card: bool) -> RecordedScan | None:
    side = find_side(str(output / RUN), output, beside=None)
    scanning = Scanning.planned(wanted, side, output)
    if scanning is None:
        return None
    model = TiltedModel(PLANTED, adapter=str(side.adapter_switch))
    model.on_card = on_card
    scanning.look(model)
    return scanning.found


def test_where_nobody_says_a_comparison_scans_a_short_text_on_a_card(output: Path):
    found = looked(output, None, on_card=True)

    assert found is not None
    assert found.texts == SHORT_TOKENS // 80
    assert found.short
    assert found.open_answers is None
    assert "open answers" not in found.timings_s
    assert [one.text for one in found.from_rows][:1] == ["Northwind pours it."]
    assert looked(output, None, on_card=False) is None
    assert looked(output, False, on_card=True) is None


def test_asked_for_a_comparison_scans_all_of_it_on_a_cpu_too(output: Path):
    found = looked(output, True, on_card=False)

    assert found is not None
    assert not found.short
    assert found.open_answers is not None


def test_where_nobody_asks_a_side_without_an_adapter_is_not_scanned(output: Path):
    base = find_side("base", output, beside=find_side(str(output / RUN), output, beside=None).model)

    assert Scanning.planned(None, base, output) is None
    with pytest.raises(ConfigError, match="has no adapter"):
        Scanning.planned(True, base, output)


def test_what_has_no_adapter_is_refused(output: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="has no adapter"):
        scanned(output, run=str(tmp_path / "base"))
    with pytest.raises(ConfigError, match="has no adapter"):
        scanned(output, run="base", model=str(tmp_path / "base"))
    with pytest.raises(ConfigError, match="No side 'v9'"):
        scanned(output, run="v9")


def test_rows_that_cannot_be_read_are_refused(output: Path):
    with pytest.raises(DataError):
        scanned(output, rows="nowhere.json")


def test_no_link_leads_the_cache_elsewhere(output: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (output / ".cache").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError):
        scanned(output)
    assert list((tmp_path / "elsewhere").iterdir()) == []
