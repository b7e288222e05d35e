"""Errors in Chinese: every text that an error of ours can have is in the catalogue, and is found again with values."""

import re
from collections import Counter
from pathlib import Path

import click
import pytest
import yaml

from tests.fakes.skeletons import ROOT, Text, error_classes, texts_of
from toolkit.cli.console.catalogue import PLACE, SENTENCE, VARIES
from toolkit.cli.console.chinese import CATALOGUE as OTHERS
from toolkit.cli.console.chinese import translated
from toolkit.cli.console.failures import CATALOGUE, errors, phrase, shown, usage_error
from toolkit.core.errors import ConfigError, DataError, ModelError

HAN = re.compile("[\u4e00-\u9fff]")
MODULES = sorted((ROOT / "toolkit").rglob("*.py"))
WRITTEN = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
OF_NO_RAISE = ("click", "sentences", "parts")  # Click's own texts, and what texts are made of
VAGUE = {"{}.", "{}{}.", "{} is {}.", "{} has {}", "{} {}", "{}…"}  # no words of their own: see sentences and parts
# Errors that pass on what another place says, whose words the catalogue has under sentences and parts.
PASSED_ON = {
    "toolkit/cli/__init__.py",
    "toolkit/compare/sides.py",
    "toolkit/core/network_environment.py",
    "toolkit/data/containers/kinds.py",
    "toolkit/data/soundness.py",
    "toolkit/export/attestation/signing.py",
    "toolkit/model/adapter.py",
    "toolkit/model/cards/answering.py",
    "toolkit/model/hub/failures.py",
    "toolkit/serve/up.py",
    "toolkit/studio/agents/tools.py",
    "toolkit/studio/asking.py",
    "toolkit/studio/pages/run_pages.py",
    "toolkit/train/cards/team.py",
}


def said(classes: set[str], arguments: tuple[str, ...]) -> list[Text]:
    return [text for path in MODULES for text in texts_of(path, classes, arguments)]


@pytest.fixture(scope="module", name="of_errors")
def _of_errors() -> list[Text]:
    return said(error_classes(MODULES, ["ToolkitError", "UsageError", "BadParameter"]), ("what", "next"))


@pytest.fixture(scope="module", name="of_rows")
def _of_rows() -> list[Text]:
    return said({"RowFault"}, ("why", "remedy")) + said({"Finding"}, ("message", "remedy"))


@pytest.fixture(scope="module", name="of_adapters")
def _of_adapters() -> list[Text]:
    rooms = [path for path in MODULES if path.name in ("adapter.py", "adapter_config.py")]
    found = [text for path in rooms for text in texts_of(path, {"_refused", "_error"}, ("adapter", "why"))]
    return [text for text in found if text.skeleton]


def filled(skeleton: str) -> tuple[str, list[str]]:
    """Behind a full stop stands a further sentence, with its space."""
    pieces = skeleton.split(VARIES)
    values = [f"{' ' * piece.endswith('.')}v{number}.json" for number, piece in enumerate(pieces[:-1])]
    return "".join(a + b for a, b in zip(pieces, [*values, ""], strict=True)), values


def missing(texts: list[Text], *, parts: bool = False) -> list[str]:
    """Texts that do not come out as their own line, or as lines of their sentences, with every value in it."""
    lines = {line: chinese for section in WRITTEN.values() for line, chinese in section.items()}
    wrong = []
    for text in texts:
        skeleton = text.skeleton
        if not skeleton or skeleton in VAGUE:
            continue
        full, values = filled(skeleton)
        found = errors().part(full) if parts else errors().translated(full)
        if skeleton in lines:
            right = found == PLACE.sub(lambda place, values=values: values[int(place[1])], lines[skeleton])
        else:
            sentences = SENTENCE.split(skeleton)
            right = all(sentence in lines for sentence in sentences) and all(one in found for one in values)
        if not right:
            wrong.append(f"{text.place}: {skeleton!r}")
    return wrong


def test_every_text_of_an_error_has_its_chinese(of_errors: list[Text]):
    assert len(of_errors) > 900
    wrong = missing(of_errors)

    assert not wrong, "\n  ".join([f"add these to {CATALOGUE.name}", *wrong])


def test_what_is_wrong_with_rows_has_its_chinese(of_rows: list[Text]):
    assert len(of_rows) > 100
    wrong = missing(of_rows, parts=True)

    assert not wrong, "\n  ".join([f"add these to {CATALOGUE.name}", *wrong])


def test_what_is_said_of_a_file_has_its_chinese_in_a_finding_and_behind_its_name():
    """`check` shows a remark by itself, `finetune` and the others behind the name of the file."""
    remarks = [text for text in said({"Remark"}, ("text",)) if text.skeleton]
    lines = yaml.safe_load(OTHERS.read_text(encoding="utf-8"))["remarks"]

    assert len(remarks) > 12
    for text in remarks:
        full, values = filled(text.skeleton)
        expected = PLACE.sub(lambda place, values=values: values[int(place[1])], lines.get(text.skeleton, text.place))
        assert phrase(full, "zh") == expected, f"add to {OTHERS.name}: {text.place}"
        assert translated(f"Note: mine.csv: {full}") == f"提示：mine.csv：{expected}"


def test_why_an_adapter_is_refused_has_its_chinese(of_adapters: list[Text]):
    assert len(of_adapters) > 10
    wrong = missing(of_adapters, parts=True)

    assert not wrong, "\n  ".join([f"add these to {CATALOGUE.name}", *wrong])


def test_errors_that_pass_on_another_text_are_few_and_known(of_errors: list[Text]):
    elsewhere = {text.place.rpartition(":")[0] for text in of_errors if text.skeleton is None}

    assert elsewhere == PASSED_ON


def test_the_catalogue_has_no_text_that_no_error_says(
    of_errors: list[Text], of_rows: list[Text], of_adapters: list[Text]
):
    """Errors that were changed leave their old translation behind."""
    texts = {text.skeleton for text in (*of_errors, *of_rows, *of_adapters) if text.skeleton}
    known = texts | {sentence for text in texts for sentence in SENTENCE.split(text)}
    stale = [
        line for name, section in WRITTEN.items() if name not in OF_NO_RAISE for line in section if line not in known
    ]

    assert not stale, "\n  ".join([f"remove these from {CATALOGUE.name}", *stale])


def test_a_line_is_chinese_and_keeps_every_value():
    for section in WRITTEN.values():
        for english, chinese in section.items():
            places = sorted({int(one) for one in PLACE.findall(chinese)})
            assert places == list(range(english.count(VARIES))), english
            assert HAN.search(chinese) or not re.search("[a-z]{3,} [a-z]{2,}", english), english


def test_no_text_has_two_translations():
    lines = [line for section in WRITTEN.values() for line in section]

    assert [line for line, count in Counter(lines).items() if count > 1] == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DataError("The data set data is a folder.", next="Name it."), "数据集 data 是一个目录。Name it."),
        (
            DataError("No data set mine.jso: no file mine.jso. Did you mean 'mine.json'?",
                      next="Name a .json, .jsonl or .csv file."),
            "没有数据集 mine.jso：没有文件 mine.jso。是不是 'mine.json'？请指定 .json、.jsonl 或 .csv 文件。",
        ),
        (
            DataError("1 of 3 rows of a.json cannot be trained on. row 2: no answer: 'output' is empty → delete it.",
                      next='See all of them with "toolkit check a.json". --skip-bad leaves them out.'),
            """a.json 的 3 行中有 1 行不能用于训练。第 2 行：没有回答：'output' 是空的 → 请删除。\
全部列出：“toolkit check a.json”。加 --skip-bad 跳过这些行。""",
        ),
        (
            DataError("5 of 5 rows of a.json cannot be trained on. lines 1, 2, 3 and 2 more: 'answer' is an object, "
                      "not a string → write it as text in double quotes."),
            """a.json 的 5 行中有 5 行不能用于训练。\
第 1, 2, 3 行及另外 2 行：'answer' 是对象，而不是字符串 → 请写成双引号里的文字。""",
        ),
        (
            ModelError("model.safetensors: the hub cannot be reached (Connection refused).",
                       next="The mirror may be out of date. Try another --endpoint or --source."),
            "model.safetensors：无法连接模型仓库（连接被拒绝）。镜像站可能没有更新。请换一个 --endpoint 或 --source。",
        ),
        (
            ConfigError("Recipe article: epochs is 0, must be from 0.01 to 1000.", next="Correct these settings."),
            "配方 article：epochs 是 0，应为 0.01 到 1000。请改正这些设置。",
        ),
        (
            ConfigError("v0 did not pass its comparison (kl is 0.200, above 0.1 (system prompt: an empty one))."),
            "v0 没有通过对比（KL 漂移为 0.200，高于 0.1（系统提示词：空提示词））。",
        ),
        (ConfigError("Quite unknown.", next="Name two runs."), "Quite unknown. 请指定两次运行。"),
        (ConfigError("Cannot write to run: Permission denied."), "无法写入 run：权限不足。"),
    ],
)  # fmt: skip
def test_an_error_is_shown_in_the_users_language(monkeypatch: pytest.MonkeyPatch, error: DataError, expected: str):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")

    assert shown(error) == expected
    assert shown(error, "en") == str(error)


def test_a_name_that_is_a_word_of_the_catalogue_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")

    for name in ("data", "run", "create", "a number"):
        assert name in shown(ConfigError(f"{name} is a file, not a folder.")) or name in ("create", "a number")
    assert phrase("no question") == "没有问题"


@pytest.mark.parametrize("name", ["Paris is nice.json", "who has one is early.probes.yaml", "'the row is wrong'"])
def test_a_users_own_text_stays_letter_for_letter(name: str):
    assert errors().translated(f"{name} is empty.") == f"{name} 是空的。"
    assert errors().translated(f"No data set {name}: there is no such file.") == f"没有数据集 {name}：文件不存在。"


def test_a_sentence_within_another_and_a_span_of_time_are_chinese_too():
    inner = "The base model tiny is not on this disk (looked in models/tiny)"

    assert phrase(f"Token lengths and the label mask are not checked: {inner}.", "zh") == (
        "没有检查 token 长度和标签掩码：基座模型 tiny 不在本机磁盘上（查找过 models/tiny）。"
    )
    assert [phrase(one, "zh") for one in ("12 min", "3 days", "Plan d")] == ["12 分钟", "3 天", "Plan d"]


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        (
            "2 of 4 rows of b.json cannot be trained on. row 2: two answers: in a and in b; row 3: two columns are c.",
            "b.json 的 4 行中有 2 行不能用于训练。第 2 行：有两个回答：在 a 和 b 里；第 3 行：有两列都是 c。",
        ),
        ("p.yaml, line 2: probe 1 has no prompt.", "p.yaml 第 2 行的探测问题 1 没有 prompt。"),
        (
            'No checkpoint was saved yet; start again with "toolkit sweep".',
            "还没有保存检查点；请重新开始：“toolkit sweep”。",
        ),
    ],
)
def test_what_an_error_is_put_together_of_is_chinese_throughout(english: str, expected: str):
    assert errors().translated(english) == expected


def test_what_click_says_of_a_value_is_chinese():
    command = click.Command("finetune", params=[click.Option(["--epochs"], type=float)])
    with pytest.raises(click.BadParameter) as caught:
        command.make_context("finetune", ["--epochs", "many"])

    assert "--epochs' 的值无效：'many' 不是数字。" in usage_error(caught.value)


def test_errors_are_english_without_being_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_LANG", "en")

    assert shown(DataError("x.json is empty (0 bytes).", next="Split it.")) == "x.json is empty (0 bytes). Split it."
    assert phrase("no question") == "no question"
    assert Path(CATALOGUE).is_file()
