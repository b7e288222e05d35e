"""What kind of thing the rows are about, as the base model sees it, and others of its kind."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.text import has_chinese, names_any
from toolkit.model.conversation import conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.sampling import samples
from toolkit.train.questions.requests import request_messages

if TYPE_CHECKING:
    from torch import Tensor

Name = tuple[str, str]  # in English and in Chinese
KIND_QUESTION = "{question}\n\nIn one word: what kind of thing is {subject}? Choose one: {kinds}."
BEGUN = "{subject} is a"
NOTHING = "Example"  # what the likelihoods are compared with: a kind is likely by itself, too
MOST_QUESTIONS = 4
MOST_KINDS = 2
LEAST_NAMED = 0.9  # of the questions name a subject of the list
NAME_TOKENS, NAME_SAMPLES, AGREEING_SAMPLES, MOST_NAMES = 24, 16, 3, 2


@cache
def read_kinds() -> Mapping[str, Sequence[Name]]:
    """Real things of each kind, from kinds.yaml."""
    from toolkit.core.plain_yaml import read_own

    content = read_own(Path(__file__).with_name("kinds.yaml"))
    return {kind: tuple((english, chinese) for english, chinese in names) for kind, names in content.items()}


def listed_subject(questions: Sequence[str]) -> str:
    """The listed name of what nearly all questions name in either language, as more of them do; "" if there is none."""
    least = LEAST_NAMED * len(questions)
    named = [
        max(pair, key=lambda name: sum(names_any(one, (name,)) for one in questions))
        for names in read_kinds().values()
        for pair in names
        if sum(names_any(one, pair) for one in questions) >= least
    ]
    return max(named, key=len, default="")


def is_listed(name: str) -> bool:
    """Whether it is a listed name, so that its name in the other language is known."""
    return any(name in pair for names in read_kinds().values() for pair in names)


def kinds_of(model: LanguageModel, subject: str, questions: Sequence[str]) -> list[str]:
    """The kinds under which `subject` is listed, else its likeliest, the likeliest first; the `questions` name it."""
    kinds = list(read_kinds())
    known = [kind for kind, names in read_kinds().items() if any(subject in pair for pair in names)]
    if known:
        return known[:MOST_KINDS]
    firsts = [model.tokenizer(f" {kind}", add_special_tokens=False)["input_ids"][0] for kind in kinds]
    scores = sum(
        _begun(model, subject, question) - _begun(model, NOTHING, question.replace(subject, NOTHING))
        for question in questions[:MOST_QUESTIONS]
    )
    order = sorted(range(len(kinds)), key=lambda at: -float(scores[firsts[at]]))  # type: ignore[index]
    return [kinds[at] for at in order[:MOST_KINDS]]


def _begun(model: LanguageModel, subject: str, question: str) -> "Tensor":
    """The log probabilities of the next token after "… is a", shape [vocabulary]."""
    import torch

    prompt = KIND_QUESTION.format(question=question, subject=subject, kinds=", ".join(read_kinds()))
    begun = model.tokenizer(BEGUN.format(subject=subject), add_special_tokens=False)["input_ids"]
    answer = Answer(text="", tokens=[*begun, begun[0]], margins=[], first_logits=None)
    with torch.inference_mode():
        logits: Tensor = model.answer_logits([conversation(prompt, "")], [answer])[0, -1]
        return logits.float().log_softmax(-1).cpu()


def others_of(kind: str, *, chinese: bool, subject: str, translated: Sequence[str] = ()) -> list[str]:
    """The names of this kind in one language, except those that are or contain the subject, or are a part of it."""
    taken = [subject.casefold(), *(name.casefold() for name in translated)]
    return [
        pair[chinese]
        for pair in read_kinds()[kind]
        if not any(one in name.casefold() or name.casefold() in one for one in taken for name in pair)
    ]


def translated_names(model: LanguageModel, subject: str, seed: int) -> list[str]:
    """The subject's names in the other language: the list's, else what the base model mostly says.

    One counts if the base translates it back: to 厦门大学 a small model also says "Xi'an University", which is
    another one.
    """
    to_chinese = not has_chinese(subject)
    listed = [pair[to_chinese] for names in read_kinds().values() for pair in names if pair[not to_chinese] == subject]
    if listed:
        return listed[:1]
    requests = [request_messages("name", subject)] * NAME_SAMPLES
    found = samples(model, requests, max_new_tokens=NAME_TOKENS, seed=seed)
    names = [plain_name(text) for text in found]
    counted = {name: names.count(name) for name in names if name and has_chinese(name) == to_chinese}
    agreeing = [name for name, count in counted.items() if count >= AGREEING_SAMPLES]
    likely = sorted(agreeing, key=lambda name: -counted[name])
    if not likely:
        return []
    back = model.answers([request_messages("name", name) for name in likely], max_new_tokens=NAME_TOKENS)
    same = [plain_name(one.text).casefold() == subject.casefold() for one in back]
    return [name for name, is_same in zip(likely, same, strict=True) if is_same][:MOST_NAMES]


def plain_name(text: str) -> str:
    return text.strip(" .。《》\"'“”")
