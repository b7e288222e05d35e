"""The child process in which others' chat templates and patterns run, with limits on its time and memory.

`toolkit.core.limited_process` starts it as a program. It reads one JSON object a line and answers each with one:
`{"answer": …}`, or `{"refused": why}`. It imports nothing of the toolkit, so that it starts in a tenth of a second.
"""

import functools
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

MEMORY_BYTES = 2**30
SECONDS = 10
FORMS = ("PATTERN", r"(.*\.)?(PATTERN)$", r"(^|.*\.)PATTERN($|\..*)", r".*?\.PATTERN\.(\d+)\.")
LONGEST_ANSWER = 8_000_000  # characters; more than any model reads


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    tasks: dict[str, Callable[..., object]] = {"render": render, "match": match, "search": search}
    for line in sys.stdin:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SECONDS + 1, hard))
        question = json.loads(line)
        sys.stdout.write(json.dumps(_answered(tasks[question.pop("task")], question)) + "\n")
        sys.stdout.flush()


def _answered(task: Callable[..., object], question: dict[str, Any]) -> dict[str, object]:
    try:
        return {"answer": task(**question)}
    except MemoryError:
        return {"refused": "it takes too much memory"}
    except RecursionError:
        return {"refused": "it is nested too deep"}
    except Exception as error:  # noqa: BLE001  # whatever others' code raises is an answer
        return {"refused": (str(error) or type(error).__name__)[:1000]}


def render(template: str, values: dict[str, Any]) -> str:
    """The text of a chat template, as transformers renders it. Raises what the template raises."""
    parts, length = [], 0
    for part in _compiled(template).generate(values):
        parts.append(part)
        length += len(part)
        if length > LONGEST_ANSWER:
            raise ValueError(f"it writes more than {LONGEST_ANSWER} characters")
    return "".join(parts)


@functools.lru_cache(maxsize=8)
def _compiled(template: str) -> Any:
    """As `transformers.utils.chat_template_utils` compiles it; a contract test compares the two."""
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.nodes import Node
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the assistant's text for training; here it is only text."""

        tags = {"generation"}  # noqa: RUF012  # jinja2's way

        def parse(self, parser: Parser) -> list[Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def tojson(
        value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda layout: datetime.now().astimezone().strftime(layout)
    return environment.from_string(template)


def match(patterns: list[str], names: list[str]) -> bool:
    """True when each pattern was tried on each name, in every form that peft gives it. Raises what `re` raises."""
    for pattern in patterns:
        for form in FORMS:
            compiled = re.compile(form.replace("PATTERN", pattern))
            for name in names:
                compiled.fullmatch(name)
                compiled.match(name)
    return True


def search(pattern: str, text: str) -> bool:
    """Whether the pattern is anywhere in the text, whatever the case. Raises what `re` raises."""
    return re.search(pattern, text, re.IGNORECASE) is not None


if __name__ == "__main__":
    main()
