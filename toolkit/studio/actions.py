"""What the buttons do: each changes something by the use case that the command line calls, and leads to a page."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from toolkit.core.errors import DataError
from toolkit.runs import latest
from toolkit.studio.commands import read_choice, read_lists
from toolkit.studio.desk import Desk
from toolkit.studio.forms import Form
from toolkit.studio.pages.data_pages import questions_around
from toolkit.studio.pages.run_pages import own_probes
from toolkit.studio.probing import add_probe
from toolkit.studio.sharing import listed_key, repository
from toolkit.train.questions.question import write_file

Action = Callable[[Desk, str, Form], str]  # with the reader's language; returns the path of the page that follows


def say(desk: Desk, lang: str, form: Form) -> str:
    job = desk.say(form.text("text"), lang, rows_only=form.text("rows_only") != "no")
    return f"/jobs/{job.number}"


def bring(desk: Desk, _: str, form: Form) -> str:
    if form.file is None:
        raise DataError("No file came with the form.", next="Choose one.")
    return _data(desk.workspace.bring(*form.file).name)


def copy(desk: Desk, _: str, form: Form) -> str:
    """A copy that can be edited: the file itself if its rows can, else its sound rows as JSON lines."""
    file = desk.workspace.data_file(form.text("file"))
    try:
        desk.rows(file).rows()
    except DataError:
        return _data(desk.workspace.bring(f"{file.path.stem}.jsonl", desk.sound_rows(file)).name)
    return _data(desk.workspace.bring(file.path.name, file.path.read_bytes()).name)


def edit_row(desk: Desk, _: str, form: Form) -> str:
    rows, number = desk.own_rows(form.text("file")), _number(form.text("row"))
    if form.text("do") == "delete":
        rows.delete(number, form.text("seen"))
    else:
        rows.edit(number, form.text("seen"), form.several("text"))
    return f"{_data(form.text('file'))}&page={_number(form.text('page'))}#row-{number}"


def add_row(desk: Desk, _: str, form: Form) -> str:
    number = desk.own_rows(form.text("file")).add(form.text("question"), form.text("answer"))
    return f"{_data(form.text('file'))}&page=1000000#row-{number}"


def undo_edit(desk: Desk, _: str, form: Form) -> str:
    desk.own_rows(form.text("file")).undo()
    return f"{_data(form.text('file'))}#rows"


def choose_questions(desk: Desk, _: str, form: Form) -> str:
    """Those that stay, of the questions that a model wrote around the rows, in a file for the next training."""
    file = desk.workspace.data_file(form.text("file"))
    run_id, found = questions_around(desk, file)
    if file.shipped or run_id != form.text("run"):
        raise DataError("These questions are not of this data set any more.", next="Look at the page again.")
    kept = {_number(text) for text in form.several("keep")}
    write_file(file.questions, [one for at, one in enumerate(found) if at in kept])
    return _data(file.name)


def train(desk: Desk, lang: str, form: Form) -> str:
    file = desk.workspace.data_file(form.text("file"))
    fields = {name: values[0] for name, values in form.fields.items()}
    job = desk.start("train", file.name, desk.commands(lang).train(file, read_choice(fields, desk.model)))
    return f"/jobs/{job.number}"


def sweep(desk: Desk, lang: str, form: Form) -> str:
    """A run for each combination of the lists, and which to take."""
    file = desk.workspace.data_file(form.text("file"))
    fields = {name: values[0] for name, values in form.fields.items()}
    job = desk.start("sweep", file.name, desk.commands(lang).sweep(file, read_lists(fields, desk.model)))
    return f"/jobs/{job.number}"


def resume_sweep(desk: Desk, lang: str, form: Form) -> str:
    name = desk.sweep(form.text("sweep")).folder.name
    return f"/jobs/{desk.start('sweep', name, desk.commands(lang).resume_sweep(name)).number}"


def stop(desk: Desk, _: str, form: Form) -> str:
    number = _number(form.text("job"))
    desk.jobs.stop(number)
    return f"/jobs/{number}"


def resume(desk: Desk, lang: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    return f"/jobs/{desk.start('resume', run.run_id, desk.commands(lang).resume(run.run_id)).number}"


def compare(desk: Desk, lang: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    return f"/jobs/{desk.start('compare', run.run_id, desk.commands(lang).compare(run.run_id)).number}"


def export(desk: Desk, lang: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    command = desk.commands(lang).export(run.run_id, form.text("format"))
    return f"/jobs/{desk.start('export', run.run_id, command).number}"


def attest(desk: Desk, lang: str, form: Form) -> str:
    run, key = desk.run(form.text("run")), listed_key(desk.workspace, form.text("key"))
    return f"/jobs/{desk.start('attest', run.run_id, desk.commands(lang).attest(run.run_id, key)).number}"


def push(desk: Desk, lang: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    command = desk.commands(lang).push(run.run_id, repository(form.text("repository")), form.text("hub"))
    return f"/jobs/{desk.start('push', run.run_id, command).number}"


def use(desk: Desk, _: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    latest.use(run.run_id, desk.workspace.results)
    return f"/runs/{run.run_id}"


def undo_latest(desk: Desk, _: str, form: Form) -> str:  # noqa: ARG001  # as every action
    latest.undo(desk.workspace.results)
    return "/runs"


def note(desk: Desk, _: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    desk.note(run.run_id, form.text("note"))
    return f"/runs/{run.run_id}"


def ask(desk: Desk, _: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    desk.ask(run, form.text("question"))
    return f"/runs/{run.run_id}#asked"


def make_probe(desk: Desk, _: str, form: Form) -> str:
    run = desk.run(form.text("run"))
    target = own_probes(desk, run)
    if target is None:
        raise DataError("The run's data set is not here, or is a shipped one.", next="Copy it, and train on the copy.")
    add_probe(target, run, question=form.text("question"), group=form.text("group"), expect=form.text("expect"))
    return f"/runs/{run.run_id}#asked"


ACTIONS: Mapping[str, Action] = {
    "/say": say, "/bring": bring, "/copy": copy, "/rows/edit": edit_row, "/rows/add": add_row, "/rows/undo": undo_edit,
    "/questions": choose_questions, "/train": train, "/sweep": sweep, "/sweep/resume": resume_sweep, "/stop": stop,
    "/resume": resume, "/compare": compare, "/export": export, "/attest": attest, "/push": push, "/use": use,
    "/undo": undo_latest, "/note": note, "/ask": ask, "/probe": make_probe,
}  # fmt: skip


def _data(name: str) -> str:
    return f"/data?file={quote(name)}"


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004  # no number here is longer
        raise DataError(f"{text!r} is not a number.", next="Use the page's own buttons.")
    return int(text)
