"""The Go template of a Modelfile for a chat template in any form of turns, if the same texts always stand between them.

They are found by rendering conversations, and more conversations are rendered to see whether these are all that is
written. Ollama trims no message, as some chat templates do: of a message with blanks around it the prompts differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

from toolkit.core.errors import ExportError, ModelError
from toolkit.model.conversation import Messages

S, Q, A = "SYSTEM-\u4e8c", "QUESTION-\u4e00", "ANSWER-\u4e09"
SYSTEM = {"role": "system", "content": S}
QUESTION, ANSWER = {"role": "user", "content": Q}, {"role": "assistant", "content": A}
TEMPLATE = (
    '{{- $last := "" }}{{ range .Messages }}{{ if eq .Role "system" }}%(system)s{{ else if eq .Role "user" }}'
    '{{ if eq $last "" }}%(before)s{{ else if ne $last "system" }}%(to_question)s{{ end }}{{ .Content }}'
    '{{ $last = .Role }}{{ else }}%(to_answer)s{{ .Content }}{{ $last = .Role }}{{ end }}{{ end }}'
    '{{ if ne $last "assistant" }}%(end)s{{ end }}'
)  # fmt: skip
INSTRUCTED = '%s{{ .Content }}%s{{ $last = "system" }}'


@dataclass(frozen=True, kw_only=True)
class Turns:
    """`before` the first question; `to_answer`: from a question to its answer; `to_question`: from there to the next.

    `end`: from the last question to where the answer begins; `system`: around a system message, up to the question;
    None where there is no place for one.
    """

    before: str
    to_answer: str
    to_question: str
    end: str
    system: tuple[str, str] | None


def turns_of(render: Callable[[Messages], str], implied: Messages) -> Turns:
    """Those of a chat template. `implied`: the system message that training adds to a conversation without one, if any.

    Raises ExportError for a template that writes more than these.
    """
    try:
        before, end = _around(render([*implied, QUESTION]), Q)
        talk = render([*implied, QUESTION, ANSWER, QUESTION]).removeprefix(before + Q).removesuffix(Q + end)
        to_answer, to_question = _around(talk, A)
        instructed = render([SYSTEM, QUESTION])
        system = tuple(instructed.removesuffix(Q + end).split(S)) if S in instructed else None
    except ModelError as error:
        raise _inexpressible(error.what) from None
    except ValueError:
        raise _inexpressible("it does not write each message once") from None
    if system is not None and len(system) != 2:  # noqa: PLR2004  # once, with a text on either side
        raise _inexpressible("it writes the system message more than once")
    turns = Turns(before=before, to_answer=to_answer, to_question=to_question, end=end, system=system)
    for first in (implied, [SYSTEM]):
        for answers in range(3):
            messages = [*first, *[QUESTION, ANSWER] * answers, QUESTION]
            if (found := render(messages)) != written(turns, messages, implied):
                raise _inexpressible(f"it renders {found!r}")
    return turns


def written(turns: Turns, messages: Messages, implied: Messages) -> str:
    """What the Go template writes of a conversation."""
    has_system = messages[0]["role"] == "system" and messages[:1] != implied
    talk = [one for one in messages if one["role"] != "system"]
    around = turns.system if has_system else None
    parts = [turns.before if around is None else f"{around[0]}{messages[0]['content']}{around[1]}"]
    for number, one in enumerate(talk):
        joint = turns.to_answer if one["role"] == "assistant" else turns.to_question
        parts += [joint if number else "", str(one["content"])]
    return "".join([*parts, turns.end])


def template(turns: Turns, literal: Callable[[str], str]) -> str:
    """The Go template; `literal` quotes a text."""
    texts = {name: literal(getattr(turns, name)) for name in ("before", "to_answer", "to_question", "end")}
    system = "" if turns.system is None else INSTRUCTED % tuple(map(literal, turns.system))
    return TEMPLATE % {**texts, "system": system}


def _around(text: str, content: str) -> tuple[str, str]:
    """Raises ValueError where the content is not in the text once."""
    before, after = text.split(content)
    return before, after


def _inexpressible(why: str) -> ExportError:
    return ExportError(
        f"A Modelfile cannot express the chat template: {why.rstrip('.')}.",
        next="Export --to gguf: a GGUF file contains the template unchanged.",
    )
