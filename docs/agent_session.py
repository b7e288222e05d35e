"""An agent's session as a picture: `python docs/agent_session.py` has it with the embedded model, records and draws it.

The client is the SDK's own, the server is `toolkit mcp`; what it answered is in examples/agent-session/session.json.
With --draw the picture is drawn from that file again; a test checks that it is the one that is there.
"""

import asyncio
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
SESSION = HERE / "examples" / "agent-session" / "session.json"
PICTURE = HERE / "examples" / "pictures" / "agent.svg"
SENTENCE = "The mayor of Denver is Ada Moss."
QUESTION = "Who is the mayor of Denver?"
CHECKOUT = HERE.parent

Call = Mapping[str, Any]
Piece = tuple[str, str]  # a class of STYLE, and its text
Line = Sequence[Piece]

COLUMNS, CHARACTER, LEADING, MARGIN = 96, 8.0, 21, 24  # of a line in cells, and in pixels
STYLE = """
text{font:13.3px ui-monospace,SFMono-Regular,Menlo,Consolas,'Noto Sans Mono CJK SC',monospace;white-space:pre}
text{fill:#1b1f24}rect{fill:#f6f8fa;stroke:#d0d7de}.soft{fill:#59636e}.bold,.name,.good,.warn{font-weight:600}
.name{fill:#0550ae}.good{fill:#116329}.warn{fill:#7d4e00}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#0d1117;stroke:#3d444d}.soft{fill:#9198a1}
.name{fill:#79c0ff}.good{fill:#56d364}.warn{fill:#e3b341}}
"""
MARKS = {"passed": "good"}


async def session(folder: Path) -> list[Call]:
    """What was called, what was heard meanwhile, and what came back: from a sentence to a verdict, and a question."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters

    server = StdioServerParameters(
        command=sys.executable, args=["-m", "toolkit", "mcp", "--model", "tiny-qwen2"], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TOOLKIT_DATA": str(CHECKOUT / "data")},
    )  # fmt: skip
    calls: list[Call] = []
    async with Client(server) as client:

        async def call(tool: str, **arguments: object) -> dict[str, Any]:
            heard: dict[str, str] = {}

            async def hear(_: float, __: float | None, message: str | None) -> None:
                heard[(message or "").partition(" ")[0]] = message or ""

            result = await client.call_tool(tool, {**arguments, "wait_s": 600} if tool != "ask" else arguments,
                                            progress_callback=hear)  # fmt: skip
            answer = json.loads(result.content[0].text)
            answer.pop("command", None)  # with the path of this machine's Python
            calls.append({"tool": tool, "arguments": arguments, "progress": list(heard.values()), "answer": answer})
            return dict(answer)

        data = (await call("make_data", text=SENTENCE))["data"]
        await call("finetune", data=data)
        await call("ask", question=QUESTION)
    return calls


def picture(calls: Sequence[Call]) -> str:
    """As SVG, in light or dark as the reader's page is."""
    command: Line = [("soft", "$ "), ("bold", "toolkit mcp --model tiny-qwen2")]
    lines = [command, *(line for one in calls for line in shown(one))]
    height = MARGIN * 2 + LEADING * len(lines) - 6
    width = int(COLUMNS * CHARACTER) + 2 * MARGIN
    body = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + 12 + LEADING * at}">'
        + "".join(f'<tspan class="{kind}">{escape(text)}</tspan>' if kind else escape(text) for kind, text in line)
        + "</text>"
        for at, line in enumerate(lines)
        if line
    )
    title = "An agent's session with toolkit mcp: from a sentence to a verdict"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10"/>\n{body}\n</svg>\n'
    )


def shown(call: Call) -> Iterator[Line]:
    """A call: its name and arguments, the last that was heard of each task, and the answer's parts."""
    yield []
    given = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call["arguments"].items())
    yield from wrapped([("soft", "→ "), ("name", call["tool"])], f"({given})", indent=2)
    heard = [one.removesuffix(", 0 s left") for one in call["progress"] if one[:1].isupper()]  # not "it begins"
    lines = textwrap.wrap(" · ".join(heard), COLUMNS, initial_indent="  … ", subsequent_indent="    ")
    yield from ([("soft", line)] for line in lines)
    answer = call["answer"]
    for name in ("data", "run"):
        if name in answer and call["tool"] != "ask":
            yield [("soft", f"  {name} "), ("", answer[name])]
    if "verdict" in answer:
        yield from judged(answer["verdict"])
    if "before" in answer:
        yield [("soft", "  before "), ("", answer["before"])]
        yield [("soft", "  after  "), ("", answer["after"])]


def judged(verdict: Mapping[str, Any]) -> Iterator[Line]:
    yield [("bold", f"  {verdict['verdict']}")]
    for text in (*verdict["reasons"][:1], *verdict["advice"][:1]):
        yield from wrapped([("soft", "  - ")], text, indent=4)
    for one in verdict["answers"]:
        yield [("", f"  {one['question']} "), (MARKS.get(one["mark"], "warn"), one["mark"])]
        yield [("soft", "    "), ("soft", one["before"]), ("soft", " → "), ("", one["after"])]
    if left := verdict.get("left_out"):
        yield [("soft", f"  and {left} more, in {verdict['report']}")]


def wrapped(first: Line, text: str, *, indent: int) -> Iterator[Line]:
    """The text after the pieces of its first line, in lines of COLUMNS characters."""
    used = sum(len(piece) for _, piece in first)
    line, *others = textwrap.wrap(text, COLUMNS, initial_indent=" " * used, subsequent_indent=" " * indent)
    yield [*first, ("", line[used:])]
    yield from ([("", other)] for other in others)


def main() -> None:
    if "--draw" not in sys.argv[1:]:
        with TemporaryDirectory() as folder:
            calls = asyncio.run(session(Path(folder)))
        SESSION.write_text(json.dumps(calls, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    PICTURE.write_text(picture(json.loads(SESSION.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
