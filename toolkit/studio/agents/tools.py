"""What agents can call: each tool is the use case of a command, on a name that is listed, within the work folder."""

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from functools import wraps
from inspect import signature
from typing import Annotated, Any, Literal, ParamSpec, get_type_hints

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import Field

from toolkit.compare.report.report import read_report
from toolkit.core.errors import DataError, ToolkitError
from toolkit.runs.run import Run, find_run, run_folders
from toolkit.runs.runs import summaries
from toolkit.studio.agents import work
from toolkit.studio.agents.answers import BothAnswers, Checked, Here, Work, checked, run_line, without_empty
from toolkit.studio.agents.work import LOOK_EVERY_S, followed, progress_of
from toolkit.studio.asking import ANSWERED, WAITING, Exchange
from toolkit.studio.checks import UNKNOWN
from toolkit.studio.commands import MODEL_QUESTIONS, Format, read_choice
from toolkit.studio.desk import Desk
from toolkit.studio.workspace import DataFile
from toolkit.train.recipe import shipped

P = ParamSpec("P")
SHORT_NAME = re.compile(r"v\d+")
MOST_RUNS, MOST_DATA, FIRST_ROWS = 20, 40, 5
RUN = "A run of the list, such as v3; the latest finished one if it is left out."
WAIT = "Seconds to wait for the end. A job that takes longer goes on: call progress. Many clients give up after 60."
WaitS = Annotated[float, Field(ge=0, le=3600, description=WAIT)]
DataName = Annotated[str, Field(description="A data file of the work folder, or one that make_data or a list named.")]
RunName = Annotated[str, Field(description=RUN)]
Most = Annotated[int, Field(ge=0, le=50, description="How many wrong or moved answers to quote, the worst first.")]
DEFAULT_WAIT_S = 45.0


def as_result(tool: Callable[P, Awaitable[Any]]) -> Callable[P, Awaitable[CallToolResult]]:
    """The answer as a value for programs, and without what is empty as text, which is what a model reads.

    Errors of the toolkit say what to do next: an agent reads them as a command line's user does.
    """

    @wraps(tool)
    async def called(*arguments: P.args, **named: P.kwargs) -> CallToolResult:
        try:
            value = asdict(await tool(*arguments, **named))
        except ToolkitError as error:
            raise ToolError(str(error)) from None
        text = json.dumps(without_empty(value), ensure_ascii=False, separators=(",", ":"))
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=value)

    returned = get_type_hints(tool, include_extras=True)["return"]
    called.__annotations__ = {**tool.__annotations__, "return": Annotated[CallToolResult, returned]}
    called.__signature__ = signature(tool).replace(return_annotation=called.__annotations__["return"])  # type: ignore[attr-defined]
    return called


class Tools:
    """`desk`: opened by the first call. Reading files is done in threads."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self.desk = desk

    @as_result
    async def runs(self) -> Here:
        """What is here: data sets, runs with their verdicts (newest first), and the job that runs."""
        return await anyio.to_thread.run_sync(_here, await self._desk())

    @as_result
    async def make_data(
        self,
        text: Annotated[str, Field(description="One to some sentences, English or Chinese, up to 4000 characters.")],
        context: Context[Any, Any], wait_s: WaitS = DEFAULT_WAIT_S,
    ) -> Work:  # fmt: skip
        """Write a data set from a sentence: who the assistant is, facts, or a rule of behaviour. Then check it."""
        desk = await self._desk()
        job = await anyio.to_thread.run_sync(desk.say, text)
        return await followed(desk, job.number, wait_s, context, stop=True)

    @as_result
    async def check(self, data: DataName) -> Checked:
        """What a training would refuse or stumble over in a data set, its first rows, and the time it will take."""
        desk = await self._desk()
        file = await anyio.to_thread.run_sync(desk.workspace.data_file, data)
        while True:
            found = await anyio.to_thread.run_sync(_checked, desk, file)
            if found is not None:
                return found
            await anyio.sleep(LOOK_EVERY_S)

    @as_result
    async def finetune(
        self, context: Context[Any, Any], data: DataName = "",
        resume: Annotated[str, Field(description="In place of data: a stopped run that goes on.")] = "",
        recipe: Annotated[str, Field(description=f"{', '.join(shipped())}; the model's own by default.")] = "",
        epochs: float | None = None, learning_rate: float | None = None, lora_rank: int | None = None,
        keep_weight: Annotated[float | None, Field(description="How strongly other answers are kept.")] = None,
        seed: int | None = None,
        questions: Annotated[Literal["model", "none"], Field(
            description="model: also learn from questions around the rows, which the base model writes.",
        )] = MODEL_QUESTIONS,  # type: ignore[assignment]
        wait_s: WaitS = DEFAULT_WAIT_S,
    ) -> Work:  # fmt: skip
        """Fine-tune on a data set, ask before and after, and return the verdict. Cancelling it saves a checkpoint."""
        desk = await self._desk()
        if bool(data) == bool(resume):
            raise DataError("Name either data or resume.", next="runs() lists both.")
        given = {
            "recipe": recipe or None, "epochs": epochs, "learning_rate": learning_rate, "lora_rank": lora_rank,
            "keep_weight": keep_weight, "seed": seed, "questions": questions,
        }  # fmt: skip
        fields = {name: _typed(value) for name, value in given.items() if value is not None}
        start = (lambda: _resumed(desk, resume)) if resume else (lambda: _trained(desk, data, fields))
        number = await anyio.to_thread.run_sync(start)
        return await followed(desk, number, wait_s, context, stop=True)

    @as_result
    async def progress(
        self, job: int, context: Context[Any, Any], wait_s: WaitS = DEFAULT_WAIT_S,
        stop: Annotated[bool, Field(description="Stop it: a training saves a checkpoint first.")] = False,
    ) -> Work:  # fmt: skip
        """Wait for a job's end, and return what came out; cancelling this call leaves the job running."""
        desk = await self._desk()
        if stop:
            await anyio.to_thread.run_sync(desk.jobs.stop, job)
        return await followed(desk, job, wait_s, context, stop=False)

    @as_result
    async def compare(
        self, context: Context[Any, Any], run: RunName = "",
        again: Annotated[bool, Field(description="Ask both sides again, such as with edited probes.")] = False,
        most: Most = work.MOST_ANSWERS, wait_s: WaitS = DEFAULT_WAIT_S,
    ) -> Work:  # fmt: skip
        """A run's verdict, with its figures and the few answers that matter; asks both sides if nobody did yet."""
        desk = await self._desk()
        found = await anyio.to_thread.run_sync(_run, desk, run)
        if not again:
            with suppress(ToolkitError):
                report = await anyio.to_thread.run_sync(read_report, found)
                return work.compared(found.run_id, report, most)
        command = desk.commands().compare(found.run_id)
        job = await anyio.to_thread.run_sync(desk.start, "compare", found.run_id, command)
        return await followed(desk, job.number, wait_s, context, stop=True, most=most)

    @as_result
    async def ask(
        self, question: Annotated[str, Field(max_length=8000)], context: Context[Any, Any], run: RunName = ""
    ) -> BothAnswers:
        """Put a question to both sides of a run: the base model, and the tuned one."""
        desk = await self._desk()
        found = await anyio.to_thread.run_sync(_run, desk, run)
        await anyio.to_thread.run_sync(desk.ask, found, question)
        exchange = await self._answer(desk, found, question.strip(), context)
        if exchange.state != ANSWERED:
            raise ToolError(exchange.error)
        return BothAnswers(
            question=exchange.question, run=found.run_id, before=exchange.before, after=exchange.after,
            same=exchange.before == exchange.after,
        )  # fmt: skip

    @as_result
    async def export(
        self, to: Format, context: Context[Any, Any], run: RunName = "", wait_s: WaitS = DEFAULT_WAIT_S
    ) -> Work:
        """Write a run for other programs; it is loaded again and must answer as here, else the export fails."""
        desk = await self._desk()
        found = await anyio.to_thread.run_sync(_run, desk, run)
        command = desk.commands().export(found.run_id, to)
        job = await anyio.to_thread.run_sync(desk.start, "export", found.run_id, command)
        return await followed(desk, job.number, wait_s, context, stop=True)

    async def _desk(self) -> Desk:
        return await anyio.to_thread.run_sync(self.desk)

    async def _answer(self, desk: Desk, run: Run, question: str, context: Context[Any, Any]) -> Exchange:
        began = anyio.current_time()
        while True:
            known = await anyio.to_thread.run_sync(desk.asker.exchanges, run.run_id)
            one = next(each for each in known if each.question == question)
            if one.state != WAITING:
                return one
            await context.report_progress(round(anyio.current_time() - began, 1), message="loading, or answering")
            await anyio.sleep(LOOK_EVERY_S)


def _here(desk: Desk) -> Here:
    known, notes = list(reversed(summaries(desk.workspace.results))), desk.notes
    job = desk.jobs.running
    return Here(
        data=[file.name for file in desk.workspace.data_files()][:MOST_DATA],
        runs=[run_line(one, notes.get(one.run_id, "")) for one in known[:MOST_RUNS]],
        earlier_runs=max(0, len(known) - MOST_RUNS), job=None if job is None else job.number,
        progress="" if job is None else progress_of(job),
    )  # fmt: skip


def _run(desk: Desk, name: str) -> Run:
    """By its name, or its number. Raises ConfigError; a name leads to no folder but a run's."""
    if not name:
        return find_run(None, desk.workspace.results)
    if SHORT_NAME.fullmatch(name):
        folders = run_folders(desk.workspace.results)
        name = next((one.name for one in folders if one.name.startswith(f"{name}-")), name)
    return desk.run(name)


def _checked(desk: Desk, file: DataFile) -> Checked | None:
    """None while it is being checked. Raises DataError for a file that cannot be read."""
    options = desk.commands().check_options(read_choice({}, desk.model))
    found = desk.checks.of(file, options, without_card=desk.jobs.running is not None)
    if found is UNKNOWN:
        return None
    if found["state"] == "failed":
        raise DataError(found["error"])
    rows: list[str] = []
    with suppress(DataError):
        first = desk.rows(file).rows(0, FIRST_ROWS)
        rows = [" → ".join(text.text for text in row.texts) for row in first]
    return checked(file.name, found, rows)


def _trained(desk: Desk, data: str, fields: dict[str, str]) -> int:
    file = desk.workspace.data_file(data)
    return desk.start("train", file.name, desk.commands().train(file, read_choice(fields, desk.model))).number


def _resumed(desk: Desk, name: str) -> int:
    run = _run(desk, name)
    return desk.start("resume", run.run_id, desk.commands().resume(run.run_id)).number


def _typed(value: object) -> str:
    """As a person types it on the command line."""
    return f"{value:g}" if isinstance(value, float) else str(value)
