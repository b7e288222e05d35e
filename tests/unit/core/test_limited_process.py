"""What others wrote runs in a child process that is killed when it takes too long or too much."""

import os
import time
from pathlib import Path

import pytest

from toolkit.core.limited_process import LimitedProcess, RefusedError, limited_process

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def rendered(template: str, **values: object) -> object:
    return limited_process().ask("render", template=template, values=values)


def refused(template: str) -> str:
    with pytest.raises(RefusedError) as caught:
        rendered(template)
    return str(caught.value)


def test_a_template_is_rendered_as_its_author_meant():
    assert rendered("{{ a|tojson }}{% for b in c %}{% if b == 2 %}{% break %}{% endif %}{{ b }}{% endfor %}",
                    a={"d": "é"}, c=[1, 2]) == '{"d": "é"}1'  # fmt: skip


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ 'a' * 2**40 }}", "too much memory"),
        (
            "{% set n = namespace(t='a') %}{% for i in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}",
            "too much memory",
        ),
        ("{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", "more than 8000000 characters"),
        ("{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}", "nested too deep"),
        ("{{ raise_exception('no\n system') }}", "no system"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__'"),
        ("{% if %}", "Expected an expression"),
        ("{{ range(10**9) }}", "Range too big"),
    ],
)
def test_each_way_to_hurt_is_refused_with_its_reason(template: str, why: str):
    assert why in refused(template)


def test_an_endless_task_is_cut_off_and_the_next_is_answered():
    process = LimitedProcess(seconds=1)
    started = time.monotonic()
    with pytest.raises(RefusedError, match="more than 1 seconds"):
        process.ask("render", template=LOOP, values={})

    assert time.monotonic() - started < 30
    assert process.ask("render", template="{{ 1 + 1 }}", values={}) == "2"


def test_an_endless_pattern_is_cut_off():
    with pytest.raises(RefusedError, match=r"more than 0\.5 seconds"):
        limited_process().ask("search", within_s=0.5, pattern="(a+)+$", text="a" * 50 + "!")


def test_a_child_sees_no_secret_and_writes_no_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    process = LimitedProcess()
    process.ask("search", pattern="a", text="a")

    child = process._child
    assert child is not None
    status = Path(f"/proc/{child.pid}")
    assert b"secret" not in (status / "environ").read_bytes()
    limits = {line[:25].strip(): line[26:].split()[0] for line in (status / "limits").read_text().splitlines()}
    assert limits["Max file size"] == "0"
    assert int(limits["Max address space"]) == 2**30
    assert os.getpgid(child.pid) != os.getpgrp()  # Ctrl-C at the terminal does not reach it
