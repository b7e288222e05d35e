"""A base model's or an adapter's folder that would hang or fill the machine is an error of the model, soon."""

import json
import shutil
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.model.test_remote_code import COMMANDS
from tests.fakes.command import run_here
from tests.fakes.made_run import make_run

SOON_S = 60  # of a test machine that does other things too; without bounds it would be hours
TEMPLATES = {
    "memory": ("{{ 'a' * 2**40 }}", "too much memory"),
    "a long text": ("{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", "more than 8000000 characters"),
    "nesting": ("{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}", "nested too deep"),
    "an escape sequence": ("{{ raise_exception('\x1b]0;owned\x07\nVerdict: passed') }}", r"\x1b]0;owned\x07 Verdict"),
    "a syntax error": ("{% if %}", "cannot be used"),
}
RUN = "v0-20260101-000000"


@pytest.fixture(name="places", scope="module")
def _places(micro_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("hostile")
    shutil.copytree(micro_model, place / "model")
    (place / "data.json").write_text(json.dumps([{"instruction": "Hi", "output": "Hello"}]))
    make_run(place / "output", micro_model)
    return {"model": place / "model", "data": place / "data.json", "output": place / "output"}


@pytest.fixture(autouse=True)
def _own_template(places: dict[str, Path], micro_model: Path) -> None:
    shutil.copy(micro_model / "chat_template.jinja", places["model"] / "chat_template.jinja")


def run_in(places: dict[str, Path], command: str) -> Any:
    started = time.monotonic()
    done = run_here(*(part.format(**places) for part in COMMANDS[command]))
    assert time.monotonic() - started < SOON_S
    assert "bug" not in done.err
    assert "\x1b" not in done.err + done.out
    return done


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_is_hurt_by_a_chat_template(places: dict[str, Path], command: str):
    (places["model"] / "chat_template.jinja").write_text(TEMPLATES["memory"][0])

    done = run_in(places, command)

    assert done.code == 4
    assert "chat template" in done.err + done.out
    assert "too much memory" in done.err + done.out


@pytest.mark.parametrize("kind", TEMPLATES)
def test_each_kind_of_hostile_template_is_named(places: dict[str, Path], kind: str):
    template, why = TEMPLATES[kind]
    (places["model"] / "chat_template.jinja").write_text(template)

    done = run_in(places, "compare")

    assert done.code == 4
    assert why in done.err


def test_a_template_that_fails_only_on_some_question_is_an_error_of_the_model(places: dict[str, Path]):
    """The trial passes; the questions of the comparison are rendered in the child too."""
    good = "{% for message in messages %}{{ message.content }}{% endfor %}"
    (places["model"] / "chat_template.jinja").write_text(
        good + "{% if messages|length > 1 %}{{ 'a' * 2**40 }}{% endif %}"
    )

    done = run_in(places, "compare")

    assert done.code == 4
    assert "does not render this conversation: it takes too much memory" in done.err


ADAPTERS: dict[str, tuple[dict[str, Any], str]] = {
    "a huge rank": ({"r": 10**9}, "a rank"),
    "a huge rank of some layers": ({"rank_pattern": {"q_proj": 2**40}}, "a rank"),
    "a rank of nothing": ({"r": "8"}, "a rank"),
    "repeated layers": ({"layer_replication": [[0, 10**9]]}, "repeats layers"),
    "a pattern that backtracks": ({"target_modules": r"(model\.?(\w+\.?)*)*!"}, "patterns"),
    "a pattern of ranks that backtracks": ({"rank_pattern": {r"(\w*\.*)*!": 4}}, "patterns"),
    "patterns that are left out": ({"exclude_modules": r"((\w|\.)+)+!"}, "patterns"),
    "a broken pattern": ({"target_modules": "("}, "patterns"),
    "a pattern of numbers": ({"layers_pattern": "a{99999999999}"}, "patterns"),
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_hostile_configuration_of_an_adapter_is_refused(places: dict[str, Path], kind: str):
    changed, why = ADAPTERS[kind]
    path = places["output"] / RUN / "checkpoint-1" / "adapter_config.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | changed))
    try:
        done = run_in(places, "compare")
    finally:
        path.write_text(before)

    assert done.code == 4
    assert (
        f"adapter_config.json is refused: {'its ' * (why == 'patterns')}{'it ' * (why == 'repeats layers')}{why}"
        in done.err
    )


@pytest.mark.parametrize("command", ["compare", "chat", "serve", "export"])
@pytest.mark.parametrize("kind", ["a header of 300 MB", "a header that is not JSON", "not a number"])
def test_hostile_weights_of_an_adapter_are_an_error_of_the_model(places: dict[str, Path], kind: str, command: str):
    path = places["output"] / RUN / "checkpoint-1" / "adapter_model.safetensors"
    before = path.read_bytes()
    write_weights(path, kind, before)
    try:
        done = run_in(places, command)
    finally:
        path.write_bytes(before)

    assert done.code == 4, done.err


def write_weights(path: Path, kind: str, before: bytes) -> None:
    length = struct.unpack("<Q", before[:8])[0]
    match kind:
        case "a header of 300 MB":
            with path.open("wb") as file:
                file.write(struct.pack("<Q", 300_000_000) + b'{"a":[')
                file.truncate(300_000_100)
        case "a header that is not JSON":
            path.write_bytes(before[:8] + b"[" * length + before[8 + length :])
        case _:
            path.write_bytes(before[: 8 + length] + b"\xff" * (len(before) - 8 - length))


def test_a_model_without_a_chat_template_is_named(places: dict[str, Path]):
    (places["model"] / "chat_template.jinja").unlink()

    done = run_in(places, "compare")

    assert done.code == 4
    assert "has no chat template" in done.err
