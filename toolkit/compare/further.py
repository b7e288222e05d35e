"""Questions beside the probe file's: out of scope from the shipped bank; in scope of the rows, and reworded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from toolkit.compare.decision import LEAST_RESAMPLED, enough_for
from toolkit.compare.depth.names import Ordinary, with_names
from toolkit.compare.depth.probes import depth_probes
from toolkit.compare.make_probes import same_questions, usable
from toolkit.compare.questions import Bank, Questions, is_asked, read_bank
from toolkit.compare.teacher import Row, plain_answers, taught_answers
from toolkit.core.events import Listener, Progress, silent
from toolkit.core.files import data_folder
from toolkit.core.text import contains_any, language_code, names_any
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED, Probe, ProbeSet, read_probes
from toolkit.data.probes_from_rows import beginnings
from toolkit.data.probing.expectation import Expectation
from toolkit.data.tools.reading import tool_names
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel
from toolkit.model.sampling import samples

TOOL_PROBES = "tool_probes.yaml"
MOST_OUTSIDE, MOST_INSIDE = 384, 128  # by default on a card; the latter of trained prompts, and of other wordings
MOST_MORE = 1000  # that a user may ask for
OF_THE_BANK = ("leakage", "kl", "agreement", "locality", "repetition")  # decided by questions out of scope only
ROUNDS, SHORT_ROUNDS = 24, 3  # of writing; the latter where nobody asked for it
CARD_ROUND = 128  # wordings that a card writes at once; a CPU one of each question
OTHERS = 48  # of the bank, to talk about before a question at depth
GIVE_UP = 3  # rounds without a usable question
QUESTION_TOKENS = 48
NAMING_ROWS = 200  # whose answers tell which words are names

WAYS = {
    "en": (
        "Put this question in other words, with the same meaning. Write only the new question.\n{}",
        "How would somebody else ask the same thing? Write only the question.\n{}",
        "Ask this as a child would. Write only the question.\n{}",
        "Ask this very politely. Write only the question.\n{}",
        "Ask this casually, as in a chat. Write only the question.\n{}",
        "Ask this in as few words as possible. Write only the question.\n{}",
        "Ask the same as a journalist would. Write only the question.\n{}",
        "Turn this into a longer question with the same meaning. Write only the question.\n{}",
    ),
    "zh": (
        "把下面的问题换一种说法，意思不变，只写出新的问题。\n{}",
        "换一个人来问同一件事，他会怎么问？只写问题。\n{}",
        "小孩子会怎么问这个问题？只写问题。\n{}",
        "请非常客气地问这个问题，只写问题。\n{}",
        "像聊天一样随意地问这个问题，只写问题。\n{}",
        "用最少的字问这个问题，只写问题。\n{}",
        "如果是记者，会怎么问同一件事？只写问题。\n{}",
        "把这个问题说得长一些，意思不变，只写问题。\n{}",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """How many to ask: out of scope from the bank, rows word for word, and wordings that the base model writes."""

    bank: int
    rows: int
    written: int


@dataclass(frozen=True, kw_only=True)
class Further:
    """What to ask beside the probe file's questions.

    `outside`: questions out of scope in all; None: as many as the limit of leakage takes on a card, or without markers
    the intervals of drift, and none more on a CPU. `more`: further ones on top, as many in scope that the model writes,
    and at most as many rows, word for word; None: in scope as many as the limits there take on a card, and none on a
    CPU. `exactly`: in place of both.
    `depth`: the depth groups that the probe file lacks and that can be made from its questions; None: on a card.
    `rows`: of the training, by which the model tells whether a question is in scope. `excluded`: prompt keys of
    everything trained on.
    `tools`: the names of those that were trained on; None if none were, and then no shipped questions with tools are
    asked.
    """

    outside: int | None = None
    more: int | None = None
    exactly: Numbers | None = None
    depth: bool | None = False
    rows: Sequence[Row] = ()
    excluded: Collection[str] = frozenset()
    tools: Collection[str] | None = None

    @cached_property
    def bank(self) -> Bank:
        return read_bank()

    def added_to(self, questions: Questions, model: LanguageModel, listener: Listener = silent) -> Questions:
        """The questions with the further ones behind. `model` answers as the side before. Raises DataError."""
        probes, system = questions.probes, questions.systems[0]
        taken = self._taken(probes)
        wanted = self.exactly or self._wanted(probes, on_card=model.on_card)
        bank = bank_probes(self.bank, probes, wanted.bank, taken)
        bank += [] if self.tools is None else tool_probes(self.tools, taken)
        rounds = ROUNDS if self.exactly or self.more else SHORT_ROUNDS
        written = (
            written_probes(model, probes, wanted.written, self.rows, taken, system, listener, rounds=rounds)
            if wanted.written else []
        )  # fmt: skip
        rows = row_probes(probes, self.rows, wanted.rows)
        deep = self._deep(model, probes, taken, system) if is_asked(self.depth, model) else []
        return replace(questions, probes=replace(probes, probes=(*probes.probes, *bank, *rows, *written, *deep)))

    def left(self, named: ProbeSet, complete: ProbeSet, *, on_card: bool) -> dict[str, int]:
        """Of each metric, how many more could be asked, after the complete set with the `named` ones."""
        bank = len(bank_probes(self.bank, complete, MOST_MORE, self._taken(complete)))
        out_of_scope = dict.fromkeys(OF_THE_BANK, bank)
        written = len(complete.group(PARAPHRASE)) - len(named.group(PARAPHRASE))
        wanted = (self.exactly or self._wanted(named, on_card=on_card)).written
        ended = written < wanted and bool(self.more or not written)
        rows, wordings = _rows_left(complete, self.rows), 0 if ended else MOST_MORE
        residue = min(rows + wordings, MOST_MORE)  # it is judged on both
        return {
            "reliability": rows, "generality": wordings, "residue": residue, **out_of_scope, "tool_locality": 0,
        }  # fmt: skip

    def _taken(self, probes: ProbeSet) -> set[str]:
        return {*self.excluded, *(prompt_key(probe.prompt) for probe in probes.probes)}

    def _deep(self, model: LanguageModel, probes: ProbeSet, taken: Collection[str], system: str) -> list[Probe]:
        others = [probe.prompt for probe in bank_probes(self.bank, probes, OTHERS, taken)]
        bank = self.bank.prompts
        return depth_probes(model, probes, self.rows, others=others, bank=bank, taken=taken, system=system)

    def _wanted(self, probes: ProbeSet, *, on_card: bool) -> Numbers:
        own = {group: len(probes.group(group)) for group in (TRAINED, PARAPHRASE, OUT_OF_SCOPE)}
        limits, by_default = probes.thresholds, on_card and self.more is None
        outside = self.outside
        if outside is None:
            judged = enough_for(limits.get("leakage"), MOST_OUTSIDE) if probes.new_markers else LEAST_RESAMPLED
            outside = judged if on_card and own[OUT_OF_SCOPE] else 0
        bank = max(outside - own[OUT_OF_SCOPE], 0) + (self.more or 0)
        if not by_default:
            return Numbers(bank=bank, rows=self.more or 0, written=self.more or 0)
        rows = _lacking(own[TRAINED], limits.get("reliability"))
        wordings = _lacking(own[PARAPHRASE], limits.get("generality"))
        if wordings and probes.old_markers and "residue" in limits:  # it is judged on both
            trained = own[TRAINED] + min(rows, _rows_left(probes, self.rows))
            wordings = max(wordings, enough_for(limits["residue"], MOST_INSIDE) - trained - own[PARAPHRASE])
        return Numbers(bank=bank, rows=rows, written=wordings)


def _lacking(own: int, least: float | None) -> int:
    """How many more answers, all of them right, would show that share; none where nothing of the kind is judged."""
    return max(enough_for(1 - least, MOST_INSIDE) - own, 0) if own and least is not None else 0


def _rows_left(probes: ProbeSet, rows: Sequence[Row]) -> int:
    known = {prompt_key(probe.prompt) for probe in probes.group(TRAINED)}
    return len({prompt_key(question) for question, _ in rows} - known)


def bank_probes(bank: Bank, probes: ProbeSet, count: int, taken: Collection[str]) -> list[Probe]:
    """The first of the bank, without prompts in `taken` and those that name what is taught."""
    found = (
        Probe(id=f"bank-{number}", group=OUT_OF_SCOPE, prompt=prompt)
        for number, prompt in enumerate(bank.prompts, start=1)
        if prompt_key(prompt) not in taken
        and not names_any(prompt, probes.new_markers, any_case=True) and not contains_any(prompt, probes.old_markers)
    )  # fmt: skip
    return list(islice(found, max(count, 0)))


def tool_probes(trained: Collection[str], taken: Collection[str]) -> list[Probe]:
    """The shipped questions with tools, but for those with a tool of a trained name, and for prompts in `taken`."""
    return [
        probe
        for probe in read_probes(data_folder() / TOOL_PROBES).probes
        if prompt_key(probe.prompt) not in taken and not set(tool_names(probe.tools)) & set(trained)
    ]


def row_probes(probes: ProbeSet, rows: Sequence[Row], count: int) -> list[Probe]:
    """At most `count` trained questions, word for word, that the probes do not have."""
    known = {prompt_key(probe.prompt) for probe in probes.group(TRAINED)}
    answers: dict[str, tuple[str, list[str]]] = {}
    for question, answer in rows:
        if prompt_key(question) not in known:
            answers.setdefault(prompt_key(question), (question, []))[1].extend(beginnings([answer]))
    return [
        Probe(
            id=f"row-{number}", group=TRAINED, prompt=question, expect=Expectation(answer=tuple(dict.fromkeys(wanted)))
        )
        for number, (question, wanted) in enumerate(islice(answers.values(), count), start=1)
    ]


def trained_prompts(probes: Sequence[Probe], rows: Sequence[Row]) -> int | None:
    """Of how many trained prompts these probes are a sample; None if some are not word for word those of rows."""
    known = {prompt_key(question) for question, _ in rows}
    sample = {prompt_key(probe.prompt) for probe in probes if probe.group == TRAINED}
    return len(known) if sample <= known else None


def written_probes(
    model: LanguageModel, probes: ProbeSet, count: int, rows: Sequence[Row], taken: Collection[str], system: str,
    listener: Listener = silent, *, rounds: int = ROUNDS,
) -> list[Probe]:  # fmt: skip
    """At most `count` further wordings of the questions in scope, each with its question's expectation.

    A wording is sampled from the model and kept if it is in scope: with the rows in its context, the model answers it
    as expected; without rows, it answers it as it does the question. Fewer, if it writes no more that are in so many
    `rounds`. Those of a smaller `count` are the first of those of a larger one.
    """
    sources = [
        probe
        for probe in probes.probes
        if probe.group in (TRAINED, PARAPHRASE) and not probe.history and not probe.tools
    ]
    known, found, shown = set(taken), list[Probe](), asked_first(rows, sources)
    own = dict(zip(sources, plain_answers(model, [one.prompt for one in sources], system), strict=True))
    ordinary = Ordinary([one.prompt for one in sources], list(own.values()))
    without = 0
    for at in range(rounds if sources else 0):
        suggested = _suggested(model, sources, at, known, system)
        kept = _in_scope(model, suggested, own, shown, system, ordinary, first=len(found) + 1)
        found += kept
        listener(Progress(task="Further questions", done=min(len(found), count), total=count))
        without = 0 if kept else without + 1
        if len(found) >= count or without == GIVE_UP:
            break
    return found[:count]


def asked_first(rows: Sequence[Row], sources: Sequence[Probe]) -> list[Row]:
    """The rows that ask what is reworded before the others: a teacher is shown the first."""
    known = {prompt_key(probe.prompt) for probe in sources}
    return sorted(rows, key=lambda row: prompt_key(row[0]) not in known)


def _suggested(
    model: LanguageModel, sources: Sequence[Probe], at: int, known: set[str], system: str
) -> list[tuple[Probe, str]]:
    """The usable rewordings of the sources that the model writes; `known` grows by them."""
    times = -(-CARD_ROUND // len(sources)) if model.on_card else 1
    tried = [
        (probe, WAYS[language_code(probe.prompt)], at * times + time + number)
        for time in range(times)
        for number, probe in enumerate(sources)
    ]
    requests = [ways[way % len(ways)].format(probe.prompt) for probe, ways, way in tried]
    texts = samples(
        model, [conversation(one, system) for one in requests], max_new_tokens=QUESTION_TOKENS, seed=at,
    )  # fmt: skip
    found = []
    for (probe, _, _), text in zip(tried, texts, strict=True):
        for question in usable(probe.prompt, [text], known):
            known.add(prompt_key(question))
            found.append((probe, question))
    return found


def _in_scope(
    model: LanguageModel, suggested: Sequence[tuple[Probe, str]], own: dict[Probe, str], rows: Sequence[Row],
    system: str, ordinary: Ordinary, *, first: int,
) -> list[Probe]:  # fmt: skip
    wordings = [
        Probe(id=f"{source.id}-written", group=PARAPHRASE, prompt=question, expect=source.expect)
        for source, question in suggested
    ]  # fmt: skip
    if not wordings:
        return []
    prompts = [probe.prompt for probe in wordings]
    before = plain_answers(model, prompts, system)
    taught = taught_answers(model, prompts, rows) if rows else before
    some_answers = [answer for _, answer in rows[:NAMING_ROWS]]
    kept = [
        replace(
            probe,
            expect=probe.expect and with_names(probe.expect, answer, f"{question}\n{plain}", ordinary, some_answers),
        )
        for (source, question), probe, plain, answer in zip(suggested, wordings, before, taught, strict=True)
        if (
            probe.expect is not None and probe.expect.met(answer, before=plain, prompt=question)
            if rows else same_questions(own[source], [(question, plain)])
        )
    ]  # fmt: skip
    return [replace(probe, id=f"{probe.id}-{number}") for number, probe in enumerate(kept, start=first)]
