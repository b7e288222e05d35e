"""Texts encoded by their words: each is looked up, so that a tokenizer sees it once in a data set.

A tokenizer spends nearly all of its time on dividing a text into words, and encodes each word by itself. For ASCII
texts Python's regular expressions divide them alike and several times faster; other texts, and tokenizers that divide
in another way, are left to the tokenizer's library.
"""

import json
import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from toolkit.core.text import IDS

# Qwen2's and Llama 3's patterns, which differ in how many digits are a word, and the same for ASCII.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ASCII_PATTERN = (
    r"'(?i:s|t|re|ve|m|ll|d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]%s| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DIGITS = ("", "{1,3}")
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}  # and how it counts offsets
MOST_WORDS = 1 << 18  # then they are forgotten: a text without repetitions must not fill the memory


class WordTokens:
    """Encodes texts as `backend`, of the tokenizers library, does without its template's special tokens."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._pattern = _ascii_pattern(backend)
        added = [one.content for one in backend.get_added_tokens_decoder().values()]
        self._added = re.compile("|".join(map(re.escape, added)) or "(?!)")
        self._begin_added = {one[0] for one in added}  # mostly a single character, which few texts have
        self._known: dict[str, bytes] = {}

    def ids(self, texts: Sequence[str]) -> "list[array[int]]":
        """The token ids of each text; equal texts, such as system prompts, share theirs."""
        by_words, others = list[str](), list[str]()
        for text in dict.fromkeys(texts):
            (by_words if self._pattern is not None and self._has_words_only(text) else others).append(text)
        found = dict(zip(others, self._by_library(others), strict=True))
        found |= zip(by_words, map(_ids, self._by_words(by_words)), strict=True)
        return [found[text] for text in texts]

    def _has_words_only(self, text: str) -> bool:
        if not text.isascii():
            return False
        return not any(one in text for one in self._begin_added) or self._added.search(text) is None

    def _by_words(self, texts: Sequence[str]) -> list[bytes]:
        """The token ids of each text, from those of its words."""
        if self._pattern is None:
            return []
        if len(self._known) > MOST_WORDS:
            self._known.clear()
        divided = [self._pattern.findall(text) for text in texts]
        found = [self._joined(words) for words in divided]
        lacking = [at for at, joined in enumerate(found) if joined is None]
        new = list({word: None for at in lacking for word in divided[at] if word not in self._known})
        self._known.update(zip(new, (one.tobytes() for one in self._by_library(new)), strict=True))
        return [b"".join(map(self._known.__getitem__, divided[at])) if one is None else one
                for at, one in enumerate(found)]  # fmt: skip

    def _joined(self, words: Iterable[str]) -> bytes | None:
        """None where one of them is not known."""
        try:
            return b"".join(map(self._known.__getitem__, words))
        except KeyError:
            return None

    def _by_library(self, texts: Sequence[str]) -> "list[array[int]]":
        # The tokenizers that share it set these at each call, and leave them so.
        self._backend.encode_special_tokens = False
        self._backend.no_padding()
        self._backend.no_truncation()
        found = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [array(IDS, one.ids) for one in found]


def _ids(content: bytes) -> "array[int]":
    found = array(IDS)
    found.frombytes(content)
    return found


def _ascii_pattern(backend: Any) -> "re.Pattern[str] | None":
    """What divides an ASCII text into the words that the tokenizer encodes one by one; None if nothing here does."""
    if backend.normalizer is not None and _described(backend.normalizer) != {"type": "NFC"}:
        return None
    before = {} if backend.pre_tokenizer is None else _described(backend.pre_tokenizer)
    for digits in DIGITS:
        split = {"type": "Split", "pattern": {"Regex": PATTERN % digits}, "behavior": "Isolated", "invert": False}
        for offsets in (True, False):
            if before == {"type": "Sequence", "pretokenizers": [split, {**BYTES, "trim_offsets": offsets}]}:
                return re.compile(ASCII_PATTERN % digits, re.ASCII)
    return None


def _described(part: Any) -> dict[str, Any]:
    """A part of a tokenizer as tokenizer.json has it."""
    found: dict[str, Any] = json.loads(part.__getstate__())
    return found
