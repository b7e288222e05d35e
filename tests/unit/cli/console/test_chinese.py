"""Help and messages in Chinese: every help text has its translation, and lines fit the terminal."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import yaml
from click.testing import CliRunner

from tests.fakes.command import bare_environment
from tests.fakes.skeletons import ROOT, VARIES, Text, texts_of
from toolkit.cli import COMMANDS, cli
from toolkit.cli.console import chinese, notify, progress
from toolkit.cli.console.catalogue import PLACE
from toolkit.cli.console.chinese import CATALOGUE, MESSAGES, VERBATIM, columns, help_text, translated, wrapped
from toolkit.core.environment import language
from toolkit.core.events import Progress
from toolkit.serve.warm.identity import identity

HAN = re.compile("[\u4e00-\u9fff]")
ENGLISH = re.compile(r"(?:\b[A-Za-z']+ ){4}")  # four words in a row
VARIABLES = ("TOOLKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture(name="in_chinese")
def _in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_LANG", "zh")


def every_command() -> Iterator[tuple[str, click.Command]]:
    yield "toolkit", cli
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield name, command
        yield from ((f"{name} {inner}", one) for inner, one in getattr(command, "commands", {}).items())


def help_texts(command: click.Command) -> Iterator[str]:
    """Each paragraph and each option's help, as Click would show it; examples stay as they are."""
    for text in filter(None, (command.help, command.epilog)):
        for block in re.split(r"\n[ \t]*\n", inspect.cleandoc(text)):
            if not block.startswith((VERBATIM, "Example:")):
                yield " ".join(block.split())
    for parameter in command.params:
        if text := getattr(parameter, "help", None):
            yield text


@pytest.mark.parametrize(
    ("name", "command"), list(every_command()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_every_help_text_has_its_chinese(name: str, command: click.Command):
    missing = [
        text for text in help_texts(command) if not HAN.search(help_text(text)) or ENGLISH.search(help_text(text))
    ]

    assert not missing, "\n  ".join([f"toolkit {name}: add these to {CATALOGUE.name}", *missing])


def test_a_default_in_words_is_chinese_too():
    for _, command in every_command():
        for text in help_texts(command):
            found = re.search(r"\[default: ([a-z][^\]]* [^\]]*)\]$", " ".join(text.split()))
            assert found is None or HAN.search(translated(found[1])), text


def test_the_catalogue_has_no_text_that_nothing_shows():
    """Help that was changed leaves its old translation behind."""
    shown = {text for _, command in every_command() for text in help_texts(command)}
    exact = {" ".join(re.sub(r"\s+\[[^\]]*\]$", "", text).split()) for text in shown}
    defaults = {match[1] for text in shown if (match := re.search(r"\[default: ([^\]]*)\]$", " ".join(text.split())))}
    kept = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["help"]

    stale = [one for one in kept if "{}" not in one and " ".join(one.split()) not in exact | defaults]

    assert not stale, "\n  ".join([f"remove these from {CATALOGUE.name}", *stale])


@pytest.mark.parametrize(
    ("name", "command"), list(every_command()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_help_fits_eighty_columns(in_chinese, name: str, command: click.Command):
    done = CliRunner().invoke(cli, [*name.split()[name == "toolkit" :], "--help"], terminal_width=80)

    assert done.exit_code == 0, done.output
    assert done.output.startswith("用法：")
    assert "选项：" in done.output
    assert "显示本帮助。" in done.output
    wide = [line for line in done.output.splitlines() if columns(line) > 80 and "$" not in line and "  --" not in line]
    assert wide == []


def test_without_being_asked_help_is_english(monkeypatch: pytest.MonkeyPatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert CliRunner().invoke(cli, ["--help"]).output.startswith("Usage:")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "C", "TOOLKIT_LANG": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "TOOLKIT_LANG": "en"}, "en"),
    ],
)
def test_the_language_is_the_environments(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], expected: str):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    assert language() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Next: toolkit compare v3", "下一步：toolkit compare v3"),
        ("run: output/v3", "运行：output/v3"),
        ("Interrupted. Quite unknown.", "已中断。Quite unknown."),
        ("Quite unknown.", "Quite unknown."),
    ],
)
def test_a_message_is_translated_as_far_as_it_is_known(text: str, expected: str):
    assert translated(text) == expected


def test_messages_are_in_the_users_language(in_chinese, capsys):
    notify("Next: toolkit compare v3")

    assert capsys.readouterr().err == "下一步：toolkit compare v3\n"
    assert chinese.message("run: x") == "运行：x"


def test_the_labels_of_a_run_are_chinese(in_chinese):
    assert [chinese.message(name) for name in ("verdict", "finished", "passed")] == ["结论", "完成", "通过"]


def test_lines_are_wrapped_by_columns_and_never_begin_with_a_full_stop():
    assert list(wrapped("一二三四，五六 abc def", 8)) == ["一二三四，", "五六 abc", "def"]
    assert list(wrapped("一二三（四）", 8)) == ["一二三", "（四）"]
    assert list(wrapped("abcdefgh ij", 3)) == ["abc", "def", "gh", "ij"]
    assert columns("一a") == 3


def test_a_default_and_what_click_adds_are_translated():
    assert help_text("Which hub.  [default: hf; required]") == "哪个模型仓库。  [默认：hf；必填]"
    assert help_text("Quite unknown.") == "Quite unknown."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--lang", "zh", "--help"), "在浏览器页面里完成"),
        (("--lang", "zh", "finetun"), "没有命令 'finetun'"),
        (("--lang", "zh", "finetune"), "请给出数据集"),
        (("--lang", "zh", "check", "none.json"), "错误："),
        (("check", "--lang", "zh", "--epohcs"), "没有选项 '--epohcs'"),
    ],
)
def test_the_programs_own_option_names_the_language(tmp_path, arguments: tuple[str, ...], words: str):
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path,
        env=bare_environment(tmp_path, PYTHONPATH=":".join(sys.path)),
    )  # fmt: skip

    assert words in done.stdout + done.stderr


MODULES = sorted((ROOT / "toolkit").rglob("*.py"))
WITHOUT_WORDS = {"{} of {}: {}", "{} {}{}{}", "{}: {}", "{}{}", "{}", "stop"}  # stop: from a process to its workers


@pytest.mark.parametrize(
    ("calls", "arguments", "fewest"),
    [({"notify", "_notify", "tell"}, ("message", "text"), 90), ({"Progress"}, ("task",), 10)],
)
def test_what_a_command_says_has_its_chinese(calls: set[str], arguments: tuple[str, ...], fewest: int):
    """Read from the modules, with a number for whatever varies."""
    texts = [text for path in MODULES for text in texts_of(path, calls, arguments)]
    missing = [f"{one.place}: {one.skeleton!r}" for one in texts if has_no_chinese(one)]

    assert len(texts) >= fewest
    assert not missing, "\n  ".join([f"add these to {MESSAGES.name}", *missing])


def has_no_chinese(one: Text) -> bool:
    if not one.skeleton or one.skeleton in WITHOUT_WORDS:
        return False
    return not HAN.search(translated(one.skeleton.replace(VARIES, "7")))


def test_a_message_keeps_every_value():
    for section in yaml.safe_load(MESSAGES.read_text(encoding="utf-8")).values():
        for english, said in section.items():
            assert sorted({int(one) for one in PLACE.findall(said)}) == list(range(english.count(VARIES))), english


def test_why_a_warm_process_is_not_used_is_chinese():
    for name in identity({"HF_HOME": "/data"}):
        said = translated(f"warm: not used, {name} differs from that of toolkit up")

        assert said.startswith("常驻：没有使用，"), name
        assert name not in said


def test_a_progress_line_is_chinese(in_chinese: None, capsys: pytest.CaptureFixture[str]):
    with progress() as listener:
        listener(Progress(task="Training", done=4, total=4, detail="loss 3.1"))

    assert capsys.readouterr().err == "训练 4/4 · loss 3.1\n"


@pytest.mark.parametrize("command", [*COMMANDS, "runs show", "runs use"])
def test_every_command_has_a_language(command: str):
    done = CliRunner().invoke(cli, [*command.split(), "--lang", "zh", "--help"])

    assert (done.exit_code, done.output[:3]) == (0, "用法：")


def test_a_subcommand_has_the_language_of_its_group():
    done = [CliRunner().invoke(cli, ["runs", *words, "--lang", "zh", *more]).output
            for words, more in (((), ("show", "-h")), (("show",), ("-h",)))]  # fmt: skip

    assert done[0] == done[1]


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("1 step, loss 3.90 -> 0.01, 12 s", "1 步，loss 3.90 → 0.01，12 秒"),
        ("48 steps, loss 3.90 -> 0.01, 12 s", "48 步，loss 3.90 → 0.01，12 秒"),
        ("sweep: output/sweeps/x, 1 run", "参数扫描：output/sweeps/x，1 次运行"),
        ("training: 1 step, 1 row, 2 epochs", "训练：1 步，1 行，2 轮"),
        ("1 host with 2 cards: 2 processes", "1 台主机，2 张显卡：2 个进程"),
    ],
)
def test_a_noun_behind_a_one_is_known_as_well(english: str, expected: str):
    assert translated(english) == expected
