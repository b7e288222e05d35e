"""What a probe expects of an answer: read from a probe file, and judged by nothing but the answer's text."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from toolkit.core.errors import DataError
from toolkit.core.limited_process import RefusedError, limited_process
from toolkit.core.text import content_words, folded, normalized, rouge1_recall, short
from toolkit.data.probing.digits import in_digits
from toolkit.data.probing.mentions import negations, says, without_denials
from toolkit.data.probing.numbers import as_written, gives_another_number
from toolkit.data.probing.opposite import says_the_opposite
from toolkit.data.tools.calls import Reply, ToolCall, json_text, reply_of, same_json, written

KINDS = ("any", "all", "exact", "regex", "answer", "call")
REGEX_S = 2.0  # for one answer
LEAST_RECALL = 0.7  # of an expected answer's words in the answer
IN_FULL = {
    r"\bca(?=n't\b)": "can", r"\bwo(?=n't\b)": "will", r"n't\b|(?<=\bcan)not\b": " not", r"'m\b": " am",
    r"'re\b": " are", r"'ve\b": " have", r"'ll\b": " will",
    r"(?<=[0-9])(?=[^\W\d_])": " ",
}  # fmt: skip
LEAST_NAMED_RECALL = 0.4  # … of one that says all names


@dataclass(frozen=True, kw_only=True)
class ExpectedCall:
    """A call by its name; `arguments`: all of them, a JSON object; None: whatever they are."""

    name: str
    arguments: str | None = None

    def met(self, call: ToolCall) -> bool:
        same = self.arguments is None or same_json(json.loads(self.arguments), call.values)
        return call.name == self.name and same

    @property
    def full(self) -> ToolCall:
        return ToolCall(name=self.name, arguments=self.arguments or "{}")

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name} | ({} if self.arguments is None else {"arguments": json.loads(self.arguments)})


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What an answer in scope must say: exactly one of any, all, exact, regex, answer and call is set.

    `answer` needs a ROUGE-1 recall of LEAST_RECALL over one of these texts, and the same over its words that are not
    in the base model's answer, and over those that are not in the prompt; another number than its own is wrong, and so
    is the opposite.
    `names`, only with `answer`: what it says in whatever words. All of them with a recall of LEAST_NAMED_RECALL do, and
    so does one of them in a shorter answer: the text without some of its words, but with all that deny something.
    `call`: every call that the answer makes, in any order; () for none at all. `none`: texts that must not be in it.
    """

    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    exact: str | None = None
    regex: str | None = None
    answer: tuple[str, ...] = ()
    call: tuple[ExpectedCall, ...] | None = None
    none: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def met(self, answer: str, *, before: str = "", prompt: str = "") -> bool:
        if any(says(answer, text) for text in self.none):
            return False
        if self.call is not None:
            return _called(self.call, reply_of(answer))
        if self.exact is not None:
            return normalized(answer) == normalized(self.exact)
        if self.regex is not None:
            return _found(self.regex, answer) is True
        if self.answer:
            return any(self._answered(text, answer, before, prompt) for text in self.answer)
        wanted = [says(answer, text) for text in self.any or self.all]
        return any(wanted) if self.any else all(wanted)

    def untried(self, answer: str) -> str:
        """Why its regular expression could not be searched for in this answer, which does not meet it; "" otherwise."""
        found = self.regex is not None and _found(self.regex, answer)
        return found if isinstance(found, str) else ""

    def _answered(self, text: str, answer: str, before: str, prompt: str) -> bool:
        claims = without_denials(answer, text)
        if not (_recalled(text, claims, ("", before, prompt)) or self._named(text, answer, claims)):
            return False
        return not (gives_another_number(text, claims, prompt) or says_the_opposite(_in_full(text), _in_full(answer)))

    def _named(self, text: str, answer: str, claims: str) -> bool:
        named = [says(answer, name) for name in self.names]
        if not any(named):
            return False
        whole = all(named) and rouge1_recall(*_alike(text, claims)) >= LEAST_NAMED_RECALL
        wanted, shorter = _alike(text, answer)
        left = iter(content_words(wanted))
        return whole or (
            all(word in left for word in content_words(shorter)) and negations(wanted) <= negations(shorter)
        )

    def to_dict(self) -> dict[str, Any]:
        chosen = {"any": list(self.any), "all": list(self.all), "exact": self.exact, "regex": self.regex}
        chosen |= {"answer": list(self.answer)}
        called = {} if self.call is None else {"call": [one.to_dict() for one in self.call]}
        last = {"none": list(self.none), "names": list(self.names)}
        return called | {key: value for key, value in (chosen | last).items() if value}

    @property
    def call_bytes(self) -> int:
        """Of the calls as a model writes them; no text has more tokens."""
        return sum(len(written(one.full).encode()) for one in self.call or ())


def _recalled(text: str, claims: str, known: Sequence[str]) -> bool:
    wanted, found = _alike(text, claims)
    return min(rouge1_recall(wanted, found, ignoring=_in_full(in_digits(one))) for one in known) >= LEAST_RECALL


def _alike(text: str, answer: str) -> tuple[str, str]:
    """Both with what can be written in several ways written in one."""
    wanted, found = as_written(text, answer)
    return _in_full(wanted), _in_full(found)


def _in_full(text: str) -> str:
    """With "I am", "is not", "can not" and "2 kg" for I'm, isn't, cannot and 2kg."""
    plain = folded(text)
    for pattern, whole in IN_FULL.items():
        plain = re.sub(pattern, whole, plain)
    return plain


def _called(expected: Sequence[ExpectedCall], reply: Reply) -> bool:
    """Whether these are all the calls of an answer, and each of them can be read."""
    left = list(reply.calls)
    for wanted in sorted(expected, key=lambda one: one.arguments is None):  # the strict ones choose first
        at = next((at for at, call in enumerate(left) if wanted.met(call)), None)
        if at is None:
            return False
        del left[at]
    return not left and not reply.broken


def read_expectation(value: object, where: str) -> Expectation:
    """From a mapping in a probe file. Raises DataError."""
    if isinstance(value, str):
        raise DataError(f"{where}: expect is a text.", next=f"Write {{any: [{short(value)!r}]}}; exact: for all of it.")
    fields = mapping(value, f"{where}: expect")
    kinds = [key for key in KINDS if key in fields]
    if len(kinds) != 1 or set(fields) - {*kinds, "none", *(["names"] if "answer" in kinds else [])}:
        raise DataError(
            f"{where}: expect takes exactly one of {', '.join(KINDS)} (and optionally none, and names beside answer).",
            next="Correct it.",
        )
    kind, wanted = kinds[0], fields[kinds[0]]
    none, names = (texts(fields.get(key, []), f"{where}: {key}") for key in ("none", "names"))
    if kind == "call":
        return Expectation(call=read_calls(wanted, f"{where}: call"), none=none)
    if kind in {"any", "all", "answer"}:
        listed = texts(wanted, f"{where}: {kind}")
        if not listed:
            raise DataError(f"{where}: {kind} is empty.", next="List at least one string.")
        if kind == "answer" and not all(map(content_words, listed)):
            raise DataError(f"{where}: an answer without a word, which every answer has.", next="Write its words.")
        chosen = {key: listed if key == kind else () for key in ("any", "all", "answer")}
        return Expectation(any=chosen["any"], all=chosen["all"], answer=chosen["answer"], none=none, names=names)
    if not isinstance(wanted, str) or not wanted.strip():
        raise DataError(f"{where}: {kind} is not a string.", next="Write it in quotes.")
    if kind == "exact":
        return Expectation(exact=wanted, none=none)
    _require_pattern(wanted, where)
    return Expectation(regex=wanted, none=none)


def _require_pattern(regex: str, where: str) -> None:
    """Raises DataError for a regular expression that cannot be searched for, or is found everywhere."""
    found = [_found(regex, text) for text in ("", "\N{SNOWMAN}")]
    if refused := next((one for one in found if isinstance(one, str)), None):
        raise DataError(f"{where}: regex {short(regex)!r}: {refused}.", next="Correct it.")
    if all(found):
        raise DataError(f"{where}: regex {short(regex)!r} is found in every answer.", next="Correct it.")


def read_calls(value: object, where: str) -> tuple[ExpectedCall, ...]:
    """From a mapping of name and arguments, or a list of them. Raises DataError."""
    calls = []
    for one in value if isinstance(value, list) else [value]:
        fields = mapping(one, where)
        arguments = fields.get("arguments")
        if not isinstance(fields.get("name"), str) or not fields["name"] or set(fields) - {"name", "arguments"}:
            raise DataError(f"{where} takes a name, and optionally arguments.", next="Correct it; [] expects no call.")
        if arguments is not None and not isinstance(arguments, dict):
            raise DataError(f"{where}: the arguments of {fields['name']!r} are not a mapping.", next="Correct it.")
        try:
            text = None if arguments is None else json_text(arguments)
        except TypeError:  # a date, which YAML has and JSON does not
            raise DataError(f"{where}: an argument of {fields['name']!r} is not a value of JSON.",
                            next="Write it in quotes.") from None  # fmt: skip
        calls.append(ExpectedCall(name=fields["name"], arguments=text))
    return tuple(calls)


@lru_cache(maxsize=4096)  # what takes too long is waited for once
def _found(regex: str, answer: str) -> bool | str:
    """Whether the expression is somewhere in the answer, whatever the case; why not, where that cannot be found out.

    In the limited child process, since an expression can take years, or all memory.
    """
    try:
        return bool(limited_process().ask("search", pattern=regex, text=answer, within_s=REGEX_S))
    except RefusedError as error:
        return str(error)


def mapping(value: object, where: str) -> dict[str, Any]:
    """A mapping of a probe file. Raises DataError."""
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a mapping.", next="See data/probes.yaml for the format.")
    return value


def texts(value: object, where: str, *, empty: bool = False) -> tuple[str, ...]:
    """A list of strings in a probe file, or one string; `empty`: they may be. Raises DataError."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(text, str) and (text.strip() or empty) for text in listed):
        raise DataError(f"{where} is not a list of strings.", next="Write each in quotes.")
    return tuple(listed)
