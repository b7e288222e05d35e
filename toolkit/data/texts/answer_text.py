"""What an answer's text is by itself: whether it ends, has a JSON object's keys, or repeats its prompt. Pure."""

import re

from toolkit.core.documents import parse_json
from toolkit.core.text import content_words
from toolkit.data.texts.naming import SENTENCE

ENDED = re.compile(r"[.!?。！？][\"'”’)*`）]*\s*$")
ITEM_ALONE = re.compile(r"^\W*\d{1,2}[.)、]\s*$")
ECHOED_START = 20  # characters of a prompt
ECHOED_FRAME = 6  # words, or Chinese characters, of the form around a question


def whole_sentences(text: str) -> str:
    """The text up to its last sentence that has an end; "" if none has.

    A letter's salutation, a line of a poem and the number of a list's next item have none.
    """
    sentences = SENTENCE.findall(text)
    while sentences and (not ENDED.search(sentences[-1]) or ITEM_ALONE.match(sentences[-1])):
        sentences.pop()
    return "".join(sentences).rstrip()


def keys_of(text: str) -> frozenset[str] | None:
    """The keys of a JSON object; None of anything else."""
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return frozenset(value) if isinstance(value, dict) else None


def echoed(prompt: str, frame: str, text: str) -> bool:
    """Whether the text repeats how its prompt starts, or several words of the form around a row's question.

    A sentence that answers seldom starts as its question does.
    """
    words, repeated = content_words(frame), f" {' '.join(content_words(text))} "
    spans = (words[at : at + ECHOED_FRAME] for at in range(len(words) - ECHOED_FRAME + 1))
    return prompt[:ECHOED_START] in text or any(f" {' '.join(span)} " in repeated for span in spans)
