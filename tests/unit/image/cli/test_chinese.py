"""The host side's errors in Chinese: every text that is raised has a line, and is found again with its values."""

import re
from collections import Counter

import pytest

from image.__main__ import exit_code
from image.cli import COMMANDS
from image.cli.chinese import CATALOGUE, PLACE, VALUES, VARIES, catalogue, shown, translated
from image.core.address import read_address
from image.core.errors import ConfigError, EngineError, ImageError
from image.core.files import shareable_files
from image.core.language import language
from image.machine.local import OTHER_BUILD
from image.registry.failures import registry_error
from tests.fakes.skeletons import ROOT, Text, error_classes, texts_of

HAN = re.compile("[\u4e00-\u9fff]")
MODULES = sorted((ROOT / "image").rglob("*.py"))
# Errors with a text from a table, whose words the catalogue has under tables and values.
FROM_A_TABLE = {"image/registry/failures.py", "image/registry/network_environment.py", "image/share/publish.py"}
AS_IT_IS = {  # commands, and names with a value
    "docker system df; docker builder prune; docker image prune.", "make clean setup",
    'sudo chown -R "$(id -u):$(id -g)" {}', "Python: {}.{}", "pip: {} {}", "{}: {}", "engine", "buildx",
}  # fmt: skip
GIVEN = {"{} to fix.", "Upgrade the driver.", OTHER_BUILD}  # not by the call that makes the finding
ADDRESS = read_address("registry.lan:5000/me/adapter:1")


@pytest.fixture(scope="module", name="said")
def _said() -> list[Text]:
    errors = error_classes(MODULES, ["ImageError"])
    found = [text for path in MODULES for text in texts_of(path, errors, ("what", "next"))]
    return found + [text for path in MODULES for text in texts_of(path, {"UsageError"}, ("message",))]


def test_every_text_of_an_error_has_its_chinese(said: list[Text]):
    lines = catalogue()["errors"]
    missing = {text.skeleton: text.place for text in said if text.skeleton and text.skeleton not in lines}

    assert len({text.skeleton for text in said}) > 140
    assert not missing, f"add these to {CATALOGUE.name}"


def test_the_catalogue_has_no_text_that_no_error_says(said: list[Text]):
    assert set(catalogue()["errors"]) - {text.skeleton for text in said} == set()


def test_every_finding_of_the_doctor_has_its_chinese():
    calls = {"Finding": ("what", "why", "remedy"), "_check_minimum_version": ("name", "version", "oldest", "why")}
    doctor = [ROOT / "image" / "doctor.py", *sorted((ROOT / "image" / "machine").rglob("*.py"))]
    texts = [one for path in doctor for call, parts in calls.items() for one in texts_of(path, {call}, parts)]
    found = {one.skeleton for one in texts if one.skeleton}
    lines = catalogue()["findings"].keys()

    assert len(found) > 50
    assert found - lines == AS_IT_IS
    assert lines - found == GIVEN


def test_errors_with_a_text_from_a_table_are_few_and_known(said: list[Text]):
    assert {text.place.rpartition(":")[0] for text in said if text.skeleton is None} == FROM_A_TABLE


@pytest.mark.parametrize("section", sorted(catalogue()))
def test_a_line_is_chinese_and_keeps_every_value(section: str):
    for english, chinese in catalogue()[section].items():
        assert sorted({int(one) for one in PLACE.findall(chinese)}) == list(range(english.count(VARIES))), english
        assert HAN.search(chinese) or english == "{}: {}.", english


@pytest.mark.parametrize("section", sorted(set(catalogue()) - {VALUES}))
def test_a_text_is_found_again_with_its_values(section: str):
    for english in catalogue()[section]:
        pieces = english.split(VARIES)
        values = [f"v{number}.json" for number in range(len(pieces) - 1)]
        full = "".join(a + b for a, b in zip(pieces, [*values, ""], strict=True))

        found = translated(full)

        assert all(value in found for value in values), english
        assert HAN.search(found) or english == "{}: {}.", english


def test_no_text_has_two_translations():
    english = Counter(one for name, section in catalogue().items() if name != VALUES for one in section)

    assert [one for one, count in english.items() if count > 1] == []


@pytest.mark.parametrize("why", ["certificate verify failed", "record layer failure", "Connection refused", "reset"])
@pytest.mark.parametrize("status", [0, 401, 403, 404, 413, 507])
def test_what_a_registry_refuses_has_a_remedy_in_chinese(monkeypatch: pytest.MonkeyPatch, why: str, status: int):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")
    error = registry_error(ADDRESS, why, status)

    remedy = shown(error).removeprefix(f"错误：{translated(error.what)}")

    assert HAN.search(remedy), error.next


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EngineError("No Docker engine answers at unix:///run/docker.sock: permission denied.",
                     next="Add yourself to the docker group and log in again."),
         "错误：unix:///run/docker.sock 处没有 Docker 引擎应答：权限不足。请把自己加入 docker 组，然后重新登录。"),
        (EngineError("The connection to the engine failed while pulling a/b:1: EOF."),
         "错误：拉取 a/b:1 时与容器引擎的连接断开：EOF。"),
        (EngineError("Could not push a/b:1 after 5 tries: EOF."), "错误：试了 5 次，仍无法推送 a/b:1：EOF。"),
        (ConfigError("Quite unknown.", next="Free some disk space, or fix the permissions."),
         "错误：Quite unknown.请腾出磁盘空间，或改正权限。"),
    ],
)  # fmt: skip
def test_an_error_is_shown_in_the_users_language(monkeypatch: pytest.MonkeyPatch, error: ImageError, expected: str):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")
    assert shown(error) == expected

    monkeypatch.setenv("TOOLKIT_LANG", "en")
    assert shown(error) == f"Error: {error}"


def test_a_link_in_a_folder_with_spaces_is_named_in_full(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_LANG", "zh")
    (tmp_path / "a b").symlink_to("elsewhere")

    with pytest.raises(ConfigError) as caught:
        list(shareable_files(tmp_path, "a b"))

    assert shown(caught.value) == f"错误：{tmp_path}/a b 是链接，所以不分享。请换成文件本身，或删除它。"


@pytest.mark.parametrize(
    ("language", "variable", "expected"),
    [
        ("zh", "TOOLKIT_LANG", "错误：没有命令 'biuld'。是不是 'build'？"),
        ("zh_CN.UTF-8", "LANG", "错误：没有命令 'biuld'。是不是 'build'？"),
        ("en_US.UTF-8", "LANG", "Error: No such command 'biuld'. Did you mean 'build'?"),
    ],
)
def test_a_wrong_command_is_answered_in_the_users_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, variable: str, expected: str
):
    for name in ("TOOLKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, language)

    code = exit_code(["biuld"])

    assert code == 2
    assert capsys.readouterr().err.splitlines()[-1] == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--lang zh UNKNOWN", "错误：没有命令 'UNKNOWN'。"),
        ("--lang=zh biuld", "错误：没有命令 'biuld'。是不是 'build'？"),
        ("--lang zh", "错误：缺少命令。"),
        ("build --bogus --lang zh", "错误：没有选项 '--bogus'。"),
        ("--lang zh build --model", "错误：选项 '--model' 需要一个值。"),
        ("--lang zh verify a b", "错误：多余的参数（b）"),
        ("--lang zh publish", "错误：缺少参数 'REGISTRY'。"),
        ("--lang zh publish x --lang xx", "错误：'--lang' 的值无效：'xx' 不在 'en', 'zh' 之中。"),
        ("--lang en biuld", "Error: No such command 'biuld'. Did you mean 'build'?"),
    ],
)
def test_what_click_refuses_is_said_in_the_named_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, expected: str
):
    monkeypatch.setenv("TOOLKIT_LANG", "zh" if expected.startswith("Error") else "en")

    code = exit_code(arguments.split())

    lines = capsys.readouterr().err.splitlines()
    assert (code, lines[-1]) == (2, expected)
    assert len(lines) == 1 or lines[0].startswith("Usage:" if expected.startswith("Error") else "用法：image")


def test_a_missing_engine_is_an_error_in_chinese(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.delenv("TOOLKIT_LANG", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    code = exit_code(["sbom"])

    assert code == EngineError.exit_code
    assert capsys.readouterr().err.startswith("错误：unix:///nowhere/docker.sock 处没有 Docker 引擎应答：")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_language(command: str, capsys: pytest.CaptureFixture[str]):
    code = exit_code([command, "--lang", "zh", "--help"])

    assert (code, language()) == (0, "zh")
    assert "--lang [en|zh]" in capsys.readouterr().out
