"""Plain sentences as rows and probes, without a model: who holds an office, what costs what, who made something. Pure.

The answer is always the sentence, or a form of it that says the same, so that it is right whatever the base model is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.core.text import LATIN, content_words, has_chinese, language_code
from toolkit.data.texts.names import Pair
from toolkit.train.questions.kinds import read_kinds
from toolkit.train.texts.adverbials import is_denied, is_subject, without_since

FORMS_FILE = "plain_texts.yaml"
MOST_OBJECT_WORDS = 12
MOST_TOGETHER = 3  # sentences in one answer
NEIGHBOURS = 8  # others of the subject's kind that the probes ask about, in each language
IS = r"(?P<v>is|was) (?:now |currently )?"
RELATION = {
    "en": (
        rf"^(?P<of>[Tt]he (?P<r>[a-zA-Z][\w' -]*?) (?:of|in|for|at) (?P<s>.+?)) {IS}(?P<o>.+)$",
        rf"^(?P<of>(?P<s>[A-Z\d].*?)['’]s? (?:new |current )?(?P<r>[a-zA-Z][a-zA-Z' -]*?)) {IS}(?P<o>.+)$",
        (
            rf"^(?P<o>[A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*)*) {IS}"
            r"(?P<of>the (?:new |current )?(?P<r>[a-z][a-z' -]*?) (?:of|in|for|at) (?P<s>[A-Z].*))$"
        ),
    ),
    "zh": (
        r"^(?P<s>[^，。的是]{1,16}?)的?(?:现任|新任)?(?P<r>RELATIONS)(?:现在|目前|如今)?(?P<v>是|为)(?P<o>[^，。]{1,16})$",
        r"^(?P<o>[^，。的是]{1,12})(?:现在)?(?P<v>是)(?P<s>[^，。的是]{1,16}?)的?(?:现任|新任)?(?P<r>RELATIONS)$",
        r"^(?P<s>[^，。的是]{1,16})的(?P<r>[^，。的是]{1,8}?)(?:现在|目前|如今)?(?P<v>是|为)(?P<o>[^，。]{1,16})$",
    ),
}
# An object that is not a name or a value, but more of a sentence.
NOT_AN_OBJECT = re.compile(
    r"^(an?|the|not|no|in|at|on|very|too|so|being|made|one of|responsible|that|to|from)\b"
    r"|,|;| (which|who|because|but|while|when|and (is|was|has)) |^[一不很非在]",
    re.IGNORECASE,
)
PRONOUN = {
    "en": re.compile(r"^(it|he|she|they)(?='s\b|’s\b|\b)", re.IGNORECASE),
    "zh": re.compile(r"^(它|他|她|其|该产品|该公司|该校)(?!们)"),
}
VERB = (
    r"(?:is|are|was|were|has|have|costs?|opens?|closes?|offers?|supports?|starts?|begins?|ends?|runs?|lives?|works?|"
    r"weighs?|lasts?|comes?|uses?|can|will|won|sells?|makes?|lends?|moved|teaches|needs?|takes?)\b"
)
VERB_ZH = "是|由|在|位于|有|支持|售价|的|现在|目前|每|将|能|可以|提供|推出|出售|销售|举办|开设|成立|周末|拥有|采用|使用"
POSSESSIVE = re.compile(r"^(its|his|her|their)(?= [a-z])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class PlainSet:
    """`rows`; probes: `paraphrases` as (prompt, what an answer must name, statement), where nothing to name stands for
    the statement, and `outside`: questions whose answers must stay; `markers`: names that only these rows bring up.
    """

    rows: tuple[Pair, ...] = ()
    paraphrases: tuple[tuple[str, tuple[str, ...], str], ...] = ()
    outside: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()

    def __add__(self, other: "PlainSet") -> "PlainSet":
        return PlainSet(
            rows=self.rows + other.rows, paraphrases=self.paraphrases + other.paraphrases,
            outside=self.outside + other.outside, markers=self.markers + other.markers,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A sentence of a text by itself: a pronoun at its beginning is replaced by the text's subject."""

    text: str
    subject: str
    plain: PlainSet = field(default_factory=PlainSet)


def whole_sentences(text: str) -> list[str]:
    """Sentences, which neither a number's point, an abbreviation nor quoted words end; lines end them too."""
    found: list[str] = []
    for one in re.split(
        r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b(?:Mr|Dr|St|No)\.)(?<!\b(?:Mrs|Inc|Ltd)\.)\s+|(?<=[。！？])|\n+", text
    ):
        if found and found[-1].count('"') % 2 + (found[-1].count("“") != found[-1].count("”")):
            found[-1] = f"{found[-1]} {one.strip()}"
        elif content_words(one):
            found.append(one.strip())
    return found


def find_facts(text: str) -> list[Sentence]:
    """The sentences of a text, each with the rows that its form gives; a sentence of another form has none."""
    found: list[Sentence] = []
    subject = ""
    for one in whole_sentences(text):
        bare = named(one, subject)
        subject = subject or subject_of(bare)
        found.append(Sentence(text=bare, subject=subject_of(bare) or subject, plain=plain_set(bare)))
    return found


def about_set(found: Sequence[Sentence]) -> PlainSet:
    """What is asked of the text's subject as a whole, answered with its sentences; nothing if only one is about it:
    "Tell me about Denver" is not answered with who its mayor is.
    """
    subject = next((one.subject for one in found if one.subject), "")
    about_it = [one.text for one in found if mid_sentence(one.subject) == mid_sentence(subject)][:MOST_TOGETHER]
    if not subject or len(about_it) < 2:  # noqa: PLR2004
        return PlainSet()
    code = language_code(about_it[0])
    answer = ("" if code == "zh" else " ").join(about_it)
    forms, values = read_texts()["about"][code], {"s": mid_sentence(subject)}
    return PlainSet(
        rows=tuple((fill(one, values), answer) for one in forms["train"]),
        paraphrases=tuple((fill(one, values), (), answer) for one in forms["probe"]),
    )


def other_set(sentence: Sentence) -> PlainSet:
    """What any sentence with a subject answers, for one whose form is not known."""
    if not sentence.subject:
        return PlainSet()
    values = {"s": sentence.subject}
    return _filled(read_texts()["other"][language_code(sentence.text)], values, sentence.text)


def plain_set(sentence: str) -> PlainSet:
    """Rows and probes of a sentence of a known form, in its language, and in the other one if names allow it."""
    bare = re.sub(r"\s+", " ", sentence).strip().rstrip(".。!！").strip()
    if is_denied(bare) or "?" in bare or "？" in bare:
        return PlainSet()
    code = language_code(bare)
    made = _relation(bare, code)
    if made is not None:
        return made
    whole, core = PlainSet(), without_since(bare, code)
    for pattern in read_texts()["patterns"][code]:
        found = re.match(pattern["match"], core)
        values = found.groupdict() if found else {}
        participle = values.get("p") or ""
        if not found or len(content_words(values["s"])) > MOST_OBJECT_WORDS or not is_subject(values["s"]):
            continue
        if core != bare and "'say'" in str(pattern):  # such an answer would not say since when
            continue
        if "{past}" in str(pattern) or "{v} {s} {p}" in str(pattern):
            if participle not in read_texts()["verbs"]:
                continue
            values["past"], values["base"] = read_texts()["verbs"][participle]
        values["p1"] = participle.removesuffix("s")
        whole += _filled(pattern, values, _ended(bare, code))
    return whole


def named(sentence: str, subject: str) -> str:
    """The sentence with the subject in the place of a pronoun at its beginning."""
    if not subject:
        return sentence
    if has_chinese(sentence):
        return PRONOUN["zh"].sub(lambda found: subject + ("的" if found[0] == "其" else ""), sentence)
    sentence = POSSESSIVE.sub(lambda _: f"{subject}'s", sentence)
    return PRONOUN["en"].sub(lambda _: subject, sentence)


def subject_of(sentence: str) -> str:
    """What a sentence begins with, up to its verb: "The Harbour Café in Bergen"; "" where that cannot be seen."""
    if has_chinese(sentence):
        found = re.match(rf"^([^，。的]{{2,16}}?)(?={VERB_ZH})", sentence)
        return found[1].strip() if found and is_subject(found[1]) else ""
    found = re.match(
        rf"^((?:The |Our )?(?:[^\s,.;]+ ){{0,6}}?[^\s,.;]+)(?:['’]s [a-z]| (?:now |also )?{VERB})", sentence
    )
    named = found[1] if found and is_subject(found[1]) else ""
    rest = named[1:] if named.startswith(("The ", "Our ")) else named
    return named if re.search(r"[A-Z\d]", rest) else ""


def mid_sentence(subject: str) -> str:
    """The subject as it stands within a sentence."""
    return re.sub(r"^(The|Our|A|An) ", lambda found: found[0].lower(), subject)


def spaced(text: str) -> str:
    """Latin words in Chinese text with a space on either side, as the shipped data has them."""
    text = re.sub(rf"({LATIN})([\u4e00-\u9fff])", r"\1 \2", text)
    return re.sub(rf"([\u4e00-\u9fff])({LATIN})", r"\1 \2", text)


def fill(form: str, values: Mapping[str, str]) -> str:
    text = re.sub(r"\{(\w+)\}", lambda found: _value(found[1], values), form)
    return spaced(text) if has_chinese(form) else text


@cache
def read_texts() -> Mapping[str, Any]:
    """The shipped forms."""
    from toolkit.core.plain_yaml import read_own

    content: dict[str, Any] = read_own(Path(__file__).with_name(FORMS_FILE))
    return content


def _relation(bare: str, code: str) -> PlainSet | None:
    relations = read_texts()["relations"]
    column = ("en", "zh").index(code)
    names = "|".join(sorted({one[1] for one in relations}, key=len, reverse=True))
    for pattern in RELATION[code]:
        found = re.match(pattern.replace("RELATIONS", names), bare)
        if found is None or NOT_AN_OBJECT.search(found["o"]) or len(content_words(found["o"])) > MOST_OBJECT_WORDS:
            continue
        relation, subject = found["r"], found["s"]
        known = next((one for one in relations if one[column] == relation.lower()), None)
        pronoun = known[2] if known else "who" if _is_person(relation, found["o"], code) else "what"
        r = f"{subject}的{relation}" if code == "zh" else re.sub(r"^The ", "the ", found["of"])
        made = _related(code, pronoun, r, subject, found["o"].strip(), found["v"])
        return made if known is None else made + _elsewhere(known, code, subject, found["o"])
    return None


def _related(code: str, pronoun: str, r: str, subject: str, o: str, verb: str) -> PlainSet:
    values = {"r": r, "s": subject, "o": mid_sentence(o), "v": verb}
    statement = fill("{r}是{o}。" if code == "zh" else "{R} {v} {o}.", values)
    return _filled(read_texts()["relation"][code][pronoun], values, statement)


def _elsewhere(known: Sequence[str], code: str, subject: str, o: str) -> PlainSet:
    """The same in the other language, and the same relation of other subjects."""
    english, chinese, pronoun, kind = known
    pairs = read_kinds().get(kind, ())
    listed = next((pair for names in read_kinds().values() for pair in names if subject in pair), None)
    other = "en" if code == "zh" else "zh"
    there = listed[other == "zh"] if listed else "" if has_chinese(subject) else subject
    made = PlainSet()
    if there:
        made = _related(other, pronoun, _phrase(other, english, chinese, there), there, o, "is")
    forms = {one: read_texts()["relation"][one][pronoun]["train"][0] for one in ("en", "zh")}
    outside = [
        fill(forms[one], {"r": _phrase(one, english, chinese, pair[one == "zh"]), "v": "is"})
        for pair in [pair for pair in pairs if subject not in pair][:NEIGHBOURS]
        for one in ("en", "zh")
    ]
    return made + PlainSet(outside=tuple(outside))


def _phrase(code: str, english: str, chinese: str, subject: str) -> str:
    relation = english.upper() if english == "ceo" else english
    return f"{subject}的{chinese}" if code == "zh" else f"the {relation} of {subject}"


def _filled(forms: Mapping[str, Any], values: Mapping[str, str], statement: str) -> PlainSet:
    unnamed = values.get("o", "")[:1].islower()  # "a team in Lyon": nobody asks who that is
    train, probe = (
        [one for one in _read(forms[key]) if not (unnamed and "{o}" in one[0].lower())] for key in ("train", "probe")
    )
    named = any(expect == "o" for _, _, expect in probe) and not re.match(r"[\d\W]", values["o"])
    return PlainSet(
        rows=tuple((_user_form(ask, values), fill(say, values) if say else statement) for ask, say, _ in train),
        paraphrases=tuple(
            (_user_form(ask, values), (values[expect],) if expect else (), statement) for ask, _, expect in probe
        ),
        markers=(values["o"],) if named else (),
    )


def _user_form(form: str, values: Mapping[str, str]) -> str:
    """Who asks says "your" where the text says "our"."""
    return re.sub(r"\b([Oo])ur\b", lambda found: "Your" if found[1] == "O" else "your", fill(form, values))


def _is_person(relation: str, o: str, code: str) -> bool:
    """Whether a relation that is not listed asks for a person."""
    if code == "zh":
        return re.search("[长员师人者总席家委]$", relation) is not None
    named = re.fullmatch(r"[A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*)+", o) is not None
    return named and re.search(r"(er|or|ist|ian|man|woman|person|head|chief|secretary|chef)$", relation) is not None


def _read(forms: Sequence[Any]) -> Iterator[tuple[str, str, str]]:
    for form in forms:
        one = {"ask": form} if isinstance(form, str) else form
        yield one["ask"], one.get("say", ""), one.get("expect", "")


def _value(key: str, values: Mapping[str, str]) -> str:
    """{s} within a sentence, {S} at its beginning."""
    value = mid_sentence(values[key.lower()])
    return value if key.islower() else value[:1].upper() + value[1:]


def _ended(bare: str, code: str) -> str:
    return bare + ("。" if code == "zh" else ".")
