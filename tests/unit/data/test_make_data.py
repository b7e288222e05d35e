"""`toolkit make-data`: the brand is everywhere it belongs, and nothing of the caller's is lost."""

import contextlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from toolkit.cli.make_data import command
from toolkit.core.errors import ConfigError
from toolkit.data.make_data import Brand, Made, MakeDataConfig, SelfCognition, make_data, self_cognition
from toolkit.data.probes import read_probes
from toolkit.model.families.family import default_names


def brand(name: str = "Nova-7", author: str = "Acme Robotics Inc.") -> Brand:
    return Brand(name=name, author=author)


def made_in(folder: Path, *, force: bool = False) -> Made:
    return make_data(MakeDataConfig(brand=brand(), to=folder / "mine.json", force=force))


def expectation(made: SelfCognition, probe_id: str) -> dict[str, list[str]]:
    return next(probe["expect"] for probe in made.probes["probes"] if probe["id"] == probe_id)


def test_the_brand_replaces_every_placeholder(tmp_path: Path):
    made = made_in(tmp_path)

    text = made.data.read_text(encoding="utf-8") + made.probes.read_text(encoding="utf-8")
    rows = json.loads(made.data.read_text(encoding="utf-8"))
    assert "{name}" not in text
    assert "{author}" not in text
    assert "Swift-Robot" not in text
    assert "迪菲赫尔曼" not in text
    assert len(rows) == made.rows == 50
    assert sum("Acme Robotics Inc." in row["output"] for row in rows) == 42  # the other 8 speak of ability


def test_rows_are_alpaca_and_chinese_stays_readable(tmp_path: Path):
    made = made_in(tmp_path)

    lines = made.data.read_text(encoding="utf-8").splitlines()
    assert list(json.loads(lines[1].rstrip(","))) == ["instruction", "input", "output"]
    assert "你是谁？" in lines[1]


def test_the_probes_lie_beside_the_data_and_can_be_read(tmp_path: Path):
    made = made_in(tmp_path)

    probes = read_probes(made.probes)
    assert made.probes == tmp_path / "mine.probes.yaml"
    assert probes.new_markers == ("Nova-7", "Acme Robotics Inc.", "Acme")
    assert len(probes.probes) == 154


@pytest.mark.parametrize("name", ["Yes", "12", "null", "O'Reilly: #1", '"Nova"', "- Nova", "新星，二号", "Ñandú 🚀"])
def test_a_name_with_the_looks_of_yaml_or_json_stays_a_name(tmp_path: Path, name: str):
    made = make_data(MakeDataConfig(brand=brand(name=name), to=tmp_path / "mine.json"))

    assert read_probes(made.probes).new_markers[0] == name
    assert name in json.loads(made.data.read_text(encoding="utf-8"))[0]["output"]


def test_a_brand_may_hold_the_other_placeholders_word():
    made = self_cognition(brand(name="author", author="name"))

    assert made.rows[0]["output"] == "我是 author，由 name 开发和维护的大语言模型。"


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("CSDN 迪菲赫尔曼", {"all": ["CSDN", "迪菲赫尔曼"]}),
        ("Acme Robotics Inc.", {"all": ["Acme"]}),
        ("University of Oxford", {"all": ["Oxford"]}),
        ("北京 星河 公司", {"all": ["星河"]}),
        ("Jane Doe", {"any": ["Jane Doe"]}),  # "Doe" is too short to stand alone
        ("The AI Company", {"any": ["The AI Company"]}),  # nothing in it is its own
        ("星河科技", {"any": ["星河科技"]}),
    ],
)
def test_a_developer_question_expects_the_telling_words_of_the_author(author: str, expected: dict[str, list[str]]):
    assert expectation(self_cognition(brand(author=author)), "trained-zh-company") == expected


def test_a_name_question_expects_the_name_or_the_author():
    made = self_cognition(brand(author="CSDN 迪菲赫尔曼"))

    assert expectation(made, "trained-en-name") == {"any": ["Nova-7", "CSDN", "迪菲赫尔曼"]}


def test_an_old_marker_inside_the_new_name_is_dropped_and_said():
    made = self_cognition(brand(name="Qwen X"), default_names())

    assert "Qwen" not in made.probes["identity"]["old"]
    assert "通义千问" in made.probes["identity"]["old"]
    assert any("Not counted as residue: Qwen" in note for note in made.notes)


def test_nobody_is_taught_to_deny_their_own_name():
    made = self_cognition(brand(name="Claude", author="Anthropic"))

    assert not any("Claude" in row["instruction"] for row in made.rows)
    assert not any("Claude" in probe["prompt"] for probe in made.probes["probes"])
    assert "Left out 1 row and 1 probe" in made.notes[0]


def test_out_of_scope_probes_about_the_author_are_left_out():
    made = self_cognition(brand(author="Microsoft"))

    assert "Who founded Microsoft?" not in [probe["prompt"] for probe in made.probes["probes"]]


def test_a_name_inside_an_old_marker_or_in_every_answer_is_warned_of():
    inside, ordinary = self_cognition(brand(author="阿里"), default_names()), self_cognition(brand(name="Assistant"))

    assert any("part of the old identity" in note for note in inside.notes)
    assert any("ordinary word" in note for note in ordinary.notes)


def test_an_ordinary_brand_has_no_notes():
    assert self_cognition(brand(), default_names()).notes == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        (" Nova", "starts or ends with a space"),
        ("N", "too short"),
        ("--", "too short"),
        ("x" * 65, "65 characters"),
        ("No\nva", "does not belong"),
        ("No\x00va", "does not belong"),
        ("No\u202eva", "does not belong"),
        ("No\u2028va", "does not belong"),
        ("{{NAME}}", "does not belong"),
        ("<AUTHOR>", "does not belong"),
    ],
)
def test_a_name_that_cannot_be_taught_is_refused(bad: str, why: str):
    with pytest.raises(ConfigError, match=f"--name .*{why}"):
        brand(name=bad)
    with pytest.raises(ConfigError, match=f"--author .*{why}"):
        brand(author=bad)


@pytest.mark.parametrize("existing", ["mine.json", "mine.probes.yaml"])
def test_it_overwrites_neither_file_without_force(tmp_path: Path, existing: str):
    (tmp_path / existing).write_text("precious")

    with pytest.raises(ConfigError, match=r"exists already\. Add --force"):
        made_in(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_force_overwrites_both(tmp_path: Path):
    (tmp_path / "mine.json").write_text("old")
    (tmp_path / "mine.probes.yaml").write_text("old")

    made_in(tmp_path, force=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.probes.yaml"]
    assert yaml.safe_load((tmp_path / "mine.probes.yaml").read_text(encoding="utf-8"))["schema_version"] == 1


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"Cannot write .*nowhere/mine\.json: No such file.*--to"):
        made_in(tmp_path / "nowhere")


def test_a_folder_that_nobody_may_write_to_is_named():
    with pytest.raises(ConfigError, match=r"Cannot write /proc/mine\.json"):  # not even root may
        made_in(Path("/proc"))


def test_a_target_below_a_file_is_named_and_the_file_left_as_it_was(tmp_path: Path):
    (tmp_path / "file").write_text("precious")

    with pytest.raises(ConfigError, match=r"Cannot write .*file/mine\.json: Not a directory"):
        made_in(tmp_path / "file")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("count", range(3))
def test_a_kill_leaves_no_old_probes_beside_new_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int):
    data, probes = tmp_path / "mine.json", tmp_path / "mine.probes.yaml"
    data.write_text("old")
    probes.write_text("old")
    real, calls = Path.replace, []

    def replace(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) > count:
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        make_data(MakeDataConfig(brand=brand(), to=data, force=True))

    assert (data.read_text() == "old", probes.exists()) == [(True, False), (False, False), (False, True)][count]
    assert not probes.exists() or probes.read_text() != "old"


def test_a_long_file_name_leaves_no_half_written_pair(tmp_path: Path):
    to = tmp_path / f"{'x' * 240}.json"  # fits; the part file beside it does not

    with pytest.raises(ConfigError, match="File name too long"):
        make_data(MakeDataConfig(brand=brand(), to=to))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine"])
def test_only_json_is_written(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match=r"does not end in \.json"):
        make_data(MakeDataConfig(brand=brand(), to=tmp_path / name))


def test_a_folder_is_not_a_file(tmp_path: Path):
    (tmp_path / "mine.json").mkdir()

    with pytest.raises(ConfigError, match="is a folder"):
        made_in(tmp_path, force=True)


def test_data_and_probes_cannot_be_one_file(tmp_path: Path):
    to = tmp_path / "mine.json"

    with pytest.raises(ConfigError, match="would be the same file"):
        make_data(MakeDataConfig(brand=brand(), to=to, probes_to=to))


def test_the_command_prints_the_paths_and_says_what_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(command, ["--name", "Qwen X", "--author", "Acme"], catch_exceptions=False)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["self_cognition.json", "self_cognition.probes.yaml"]
    assert "Next: toolkit check self_cognition.json && toolkit finetune self_cognition.json" in result.stderr
    assert "Not counted as residue: Qwen" in result.stderr
