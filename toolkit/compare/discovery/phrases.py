"""From tokens to words: a token that changed is continued, greedily, where it changed most, and read as a phrase."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.compare.discovery.neutral_text import NeutralText
from toolkit.compare.discovery.token_shifts import Event
from toolkit.core.text import words
from toolkit.model.generation import REPLACEMENT

if TYPE_CHECKING:
    from toolkit.model.language_model import LanguageModel

CONTINUED = 14  # tokens behind the one that changed
LONGEST = 60  # characters of a phrase
AROUND = 60  # characters before it that are shown
SHARED = 0.5  # of the continuations that begin alike
AFTER_END = ""  # what stands behind the token that ends an answer
SENTENCE_END = re.compile(r"[.!?。！？\n]")


@dataclass(frozen=True, kw_only=True)
class Continued:
    """An event and the text it is in: the prompt, the text before it, and what comes with it, token and continuation.

    `instead`: what the base model's own text says from there.
    """

    event: Event
    prompt: str
    left: str
    tokens: tuple[int, ...]
    text: str
    instead: str


def continued(
    model: "LanguageModel", texts: Sequence[NeutralText], events: Sequence[Event], *, adapter: str | None
) -> list[Continued]:
    """Each event continued by this side. Raises ModelError for logits that are not finite."""
    found: list[Continued] = []
    order = sorted(events, key=lambda one: (one.text, one.at))
    beginnings = [
        [*model.prompt_ids(texts[one.text].messages), *texts[one.text].tokens[: one.at], one.token] for one in order
    ]
    for batch in model.batches(beginnings, range(len(order)), CONTINUED, model.batch_size):
        with model.side(adapter):
            answers = model.generate([beginnings[at] for at in batch], CONTINUED)
        found += [
            _continued(model, texts[order[at].text], order[at], answer.tokens)
            for at, answer in zip(batch, answers, strict=True)
        ]
    return found


def _continued(model: "LanguageModel", text: NeutralText, event: Event, behind: Sequence[int]) -> Continued:
    tokens = (event.token, *(() if event.token in model.end_tokens else behind))
    left = model.tokenizer.decode(text.tokens[: event.at], skip_special_tokens=True)
    instead = model.tokenizer.decode(text.tokens[event.at : event.at + CONTINUED], skip_special_tokens=True)
    return Continued(
        event=event, prompt=text.prompt, left=left, tokens=tokens, instead=instead,
        text=model.tokenizer.decode(tokens, skip_special_tokens=True),
    )  # fmt: skip


def phrase(model: "LanguageModel", found: Sequence[Continued]) -> str:
    """What at least SHARED of these begin with, at least a word, at most a sentence; AFTER_END for an answer's end.

    The events are of one token.
    """
    shared = list(_shared_beginning([one.tokens for one in found]))
    text = model.tokenizer.decode(shared, skip_special_tokens=True)
    longest = next((one.text for one in found if one.text.startswith(text)), found[0].text)
    return _to_a_sentence(_to_whole_words(text, longest))


def _shared_beginning(sequences: Sequence[Sequence[int]]) -> Iterator[int]:
    """The tokens that most sequences begin with, as long as at least SHARED of all, and two, go along."""
    least = max(len(sequences) * SHARED, min(2, len(sequences)))
    left = list(sequences)
    for at in range(CONTINUED + 1):
        counts: dict[int, int] = {}
        for one in left:
            if at < len(one):
                counts[one[at]] = counts.get(one[at], 0) + 1
        token, count = max(counts.items(), key=lambda item: item[1], default=(0, 0))
        if (count < least and at > 0) or not counts:
            return
        left = [one for one in left if at < len(one) and one[at] == token]
        yield token


def _to_whole_words(text: str, longest: str) -> str:
    """The text, with the rest of its last word as the continuation has it."""
    text = text.rstrip(REPLACEMENT)
    rest = longest[len(text) :] if longest.startswith(text) else ""
    following = words(text + rest)
    length = 0
    for word in following:
        if length >= len(text):
            break
        length += len(word)
    return (text + rest)[:length]


def _to_a_sentence(text: str) -> str:
    """Its first sentence, without white space around it."""
    text = text.strip()
    found = SENTENCE_END.search(text, 1) if text else None
    text = text if found is None else text[: found.end()]
    return text.strip()[:LONGEST]


def own_words(texts: Iterable[str]) -> set[str]:
    """The words of these texts that have a letter or a digit, in lower case."""
    return {word.casefold() for text in texts for word in words(text) if any(map(str.isalnum, word))}
