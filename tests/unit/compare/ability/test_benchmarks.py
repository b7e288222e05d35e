"""Public benchmarks in their own formats, with questions of our own."""

import json
from pathlib import Path

import pytest

from toolkit.compare.ability.benchmarks import Benchmark
from toolkit.compare.ability.items import Choice, Written
from toolkit.core.errors import ConfigError, DataError


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_gsm8k_is_right_if_the_last_number_is_the_solutions(tmp_path):
    row = {"question": "Two and two?", "answer": "2 + 2 = <<2+2=4>>4\n#### 1,004"}
    [item] = Benchmark.parse(f"gsm8k={written(tmp_path / 'a.jsonl', json.dumps(row))}").items()

    assert isinstance(item, Written)
    assert item.check("So it is 1004.")
    assert not item.check("So it is 4.")


def test_mmlu_is_a_folder_of_csv_without_headers(tmp_path):
    written(tmp_path / "law_test.csv", '"Which, of these?",one,two,three,four,C\n')
    written(tmp_path / "art_test.csv", "What?,a,b,c,d,A\n")
    items = Benchmark(name="mmlu", path=tmp_path).items()

    assert [one.answer for one in items if isinstance(one, Choice)] == ["A", "C"]
    assert "Which, of these?\nA. one\nB. two" in items[1].prompt
    assert not any(one.calibrated for one in items if isinstance(one, Choice))


def test_cmmlu_has_a_header_and_an_index(tmp_path):
    path = written(tmp_path / "law.csv", ",Question,A,B,C,D,Answer\n0,问题？,甲,乙,丙,丁,B\n")
    [item] = Benchmark(name="cmmlu", path=path).items()

    assert isinstance(item, Choice)
    assert item.answer == "B"
    assert item.prompt.endswith("题目：问题？\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答案是：")


@pytest.mark.parametrize("answer", ["D", 3])
def test_json_lines_have_a_letter_or_a_position(tmp_path, answer):
    row = {"subject": "law", "question": "?", "choices": ["a", "b", "c", "d"], "answer": answer}
    [item] = Benchmark(name="mmlu", path=written(tmp_path / "a.jsonl", json.dumps(row))).items()

    assert isinstance(item, Choice)
    assert item.answer == "D"


def test_a_count_spreads_over_the_subjects(tmp_path):
    rows = [
        {"subject": subject, "question": f"{subject} {at}", "choices": ["a", "b", "c", "d"], "answer": "A"}
        for subject, count in (("law", 30), ("art", 3), ("tea", 3))
        for at in range(count)
    ]
    path = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    items = Benchmark.parse(f"cmmlu={path}#6").items()

    assert sorted(one.prompt.split("题目：")[1][:3] for one in items) == ["art", "art", "law", "law", "tea", "tea"]
    assert items == Benchmark.parse(f"cmmlu={path}#6").items()


@pytest.mark.parametrize("text", ["gsm9k=file", "gsm8k", "gsm8k=", "=file"])
def test_another_name_or_no_file_is_refused(text: str):
    with pytest.raises(ConfigError, match="NAME=FILE"):
        Benchmark.parse(text)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("gsm8k", '{"question": "?", "answer": "no mark, no number"}', "row 1"),
        ("gsm8k", "not JSON", "row 1"),
        ("gsm8k", "[1]", "row 1"),
        ("gsm8k", "", "no questions"),
        ("mmlu", '{"question": "?", "choices": ["a"], "answer": 0}', "four choices"),
        ("mmlu", '{"question": "?", "choices": ["a", "b", "c", "d"], "answer": "E"}', "row 1"),
    ],
)
def test_another_format_is_an_error_that_names_the_row(tmp_path, name, content, what):
    with pytest.raises(DataError, match=what):
        Benchmark(name=name, path=written(tmp_path / "a.jsonl", content)).items()


def test_csv_without_its_columns_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no column answer"):
        Benchmark(name="ceval", path=written(tmp_path / "a.csv", "id,question,A,B,C,D\n0,?,a,b,c,d\n")).items()
    with pytest.raises(DataError, match="six columns"):
        Benchmark(name="mmlu", path=written(tmp_path / "b.csv", "?,a,b\n")).items()


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Benchmark(name="gsm8k", path=tmp_path / "none.jsonl").items()
