"""The pages of data sets: the first page, the rows with what was found in them, and the plan of a training."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from toolkit.core.errors import DataError, ToolkitError
from toolkit.core.suggestion import suggestion
from toolkit.runs.questions import last_with_questions, read_questions
from toolkit.studio.commands import (
    MODEL_QUESTIONS,
    NO_QUESTIONS,
    OWN_QUESTIONS,
    SETTINGS,
    read_choice,
    read_lists,
    swept,
)
from toolkit.studio.desk import Desk
from toolkit.studio.pages.page import Reader, page
from toolkit.studio.rows import EditableRow
from toolkit.studio.workspace import DataFile
from toolkit.train.questions.question import Question, read_file
from toolkit.train.recipe import default_recipe, shipped

ROWS_A_PAGE = 25
CHARACTERS_A_LINE = 60
MOST_LINES = 14
MOST_FINDINGS = 200  # of a file whose rows are not shown
TINY = "tiny"  # the embedded model's recipe
TIME, MEMORY = "time", "memory"  # kinds of findings


def start_page(desk: Desk, reader: Reader) -> str:
    texts = reader.texts
    return page(
        "start", desk, reader, title=texts("start.title"), section="data", files=desk.workspace.data_files(),
        say=suggestion(*desk.commands(reader.lang).say("…", rows_only=True)),
    )  # fmt: skip


def data_page(desk: Desk, reader: Reader, name: str, number: int) -> str:
    """Raises DataError."""
    file = desk.workspace.data_file(name)
    count, problem = _count(desk, file)
    pages = max(1, -(-count // ROWS_A_PAGE))
    number = min(max(number, 1), pages)
    rows = desk.rows(file).rows((number - 1) * ROWS_A_PAGE, ROWS_A_PAGE) if count else []
    commands, choice = desk.commands(reader.lang), read_choice({}, desk.model)
    options = commands.check_options(choice)
    check = desk.checks.of(file, options, without_card=desk.jobs.running is not None)
    found, around = reader.findings(check["findings"]), _around(desk, file)
    editable = not file.shipped and not problem
    return page(
        "data", desk, reader, title=file.name, section="data", file=file, check=check,
        check_command=suggestion("check", file.name, *options),
        general=[one for one in found if one["row"] is None or not count][:MOST_FINDINGS],
        findings=_by_row(found), problem=problem, editable=editable,
        undoable=desk.rows(file).undoable if editable else 0,
        rows=[_shown(row) for row in rows], page=number,
        pages=pages, shown_pages=_near(number, pages), recipes=recipes(desk.model), recipe=choice.recipe,
        settings=[setting for setting, _, _ in SETTINGS],
        questions=[MODEL_QUESTIONS, NO_QUESTIONS, *([OWN_QUESTIONS] if file.questions.is_file() else [])],
        **around,
    )  # fmt: skip


def plan_page(desk: Desk, reader: Reader, name: str, fields: Mapping[str, str]) -> str:
    """Raises ToolkitError."""
    file = desk.workspace.data_file(name)
    commands, choice = desk.commands(reader.lang), read_choice(fields, desk.model)
    busy = desk.jobs.running is not None
    check = desk.checks.of(file, commands.check_options(choice), without_card=busy)
    lists = swept(choice)
    found = reader.findings(check["findings"])
    notes = {one["kind"]: one["message"] for one in found if one["level"] == "note"}
    return page(
        "plan", desk, reader, title=reader.texts("plan.title"), section="data", file=file, choice=choice, check=check,
        time=notes.get(TIME), memory=None if busy else notes.get(MEMORY),
        errors=[one for one in found if one["level"] == "error"],
        warnings=[one for one in found if (one["level"], one["kind"]) == ("warning", MEMORY)],
        fields=[("file", file.name), *((key, value) for key, value in fields.items() if key != "file")],
        train=suggestion(*commands.train(file, choice)), swept=lists,
        sweep=suggestion(*commands.sweep(file, read_lists(lists | {"recipe": choice.recipe}, desk.model))),
    )  # fmt: skip


def recipes(model: str | None) -> list[str]:
    """Those for this base model, its default first."""
    default = default_recipe(model)
    return [default, *(name for name in shipped() if name not in {default, TINY})]


def questions_around(desk: Desk, file: DataFile) -> tuple[str, list[Question]]:
    """The run that learned from questions around these rows, newest first, and those questions; ("", []) without."""
    run = last_with_questions(file.sha256, desk.workspace.results)
    if run is None:
        return "", []
    found = [
        Question(prompt=one.prompt, scope=one.scope, answer=one.answer, kind=one.kind, before=one.before)
        for one in read_questions(run)
    ]
    return run.run_id, found


def _around(desk: Desk, file: DataFile) -> dict[str, Any]:
    run_id, found = questions_around(desk, file)
    kept = None
    with suppress(ToolkitError):
        kept = {one.prompt for one in read_file(file.questions)} if file.questions.is_file() else None
    shown = [
        {"prompt": one.prompt, "answer": one.answer, "scope": one.scope, "kept": kept is None or one.prompt in kept}
        for one in found
    ]
    return {"around": [] if file.shipped else shown, "around_run": run_id}


def _count(desk: Desk, file: DataFile) -> tuple[int, str]:
    """How many rows can be edited, and why none can."""
    try:
        return desk.rows(file).count(), ""
    except DataError as error:
        return 0, str(error)


def _shown(row: EditableRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "seen": row.seen,
        "texts": [{"name": one.name, "text": one.text, "lines": _lines(one.text)} for one in row.texts],
    }


def _lines(text: str) -> int:
    lines = sum(1 + len(line.encode()) // (2 * CHARACTERS_A_LINE) for line in text.split("\n"))
    return min(max(lines, 2), MOST_LINES)


def _by_row(findings: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    for one in findings:
        if one["row"] is not None:
            found.setdefault(one["row"], []).append(one)
    return found


def _near(number: int, pages: int) -> list[int]:
    """The first, the last, and those around."""
    return sorted({1, pages, *range(max(1, number - 3), min(pages, number + 3) + 1)})
