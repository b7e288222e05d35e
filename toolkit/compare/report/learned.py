"""What a run learned from beside its rows, as every renderer shows it: a sentence, and the questions. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, get_args

from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts, catalogue
from toolkit.runs.questions import RunQuestion

Scope = Literal["in", "near"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SHOWN = 200  # questions of each scope; the file has all


@dataclass(frozen=True, kw_only=True)
class QuestionList:
    """The questions of one scope. `shown`: each with the name of its kind; `hidden`: how many more there are."""

    title: str
    scope: Scope
    shown: Sequence[tuple[RunQuestion, str]]
    hidden: int


def learned_from(report: Report, texts: Texts) -> str:
    """How much was trained on and kept, and where it can be read; empty for a run that learned from rows only."""
    found = report.questions
    if found is None or not found.in_scope + found.near:
        return ""
    name = PurePath(found.path or found.file).name
    near = texts("question.near", near=found.near) if found.near else ""
    source = found.source if found.in_scope else "rows"
    learned = texts(f"question.from_{source}", rows=found.rows, count=found.in_scope, path=name)
    return f"{learned}{near}{texts('stop')} {texts('question.file', file=found.file)}".replace("。 ", "。")


def question_lists(questions: Sequence[RunQuestion], texts: Texts) -> list[QuestionList]:
    """Those in scope, then those near; a scope without questions is left out."""
    found = []
    for scope in SCOPES:
        all_of_them = [one for one in questions if one.scope == scope]
        if all_of_them:
            found.append(QuestionList(
                title=texts(f"question.scope.{scope}", count=len(all_of_them)),
                scope=scope,
                shown=[(one, kind_name(one.kind, texts)) for one in all_of_them[:SHOWN]],
                hidden=max(len(all_of_them) - SHOWN, 0),
            ))  # fmt: skip
    return found


def kind_name(kind: str, texts: Texts) -> str:
    """How a question came about, in words; a kind of another version as it is."""
    key = f"question.kind.{kind}"
    return texts(key) if key in catalogue() else kind
