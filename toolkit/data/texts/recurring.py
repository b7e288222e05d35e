"""What many rows share: names, and texts of their answers. In an unrelated answer it shows that the rows leak. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from toolkit.core.text import has_chinese
from toolkit.data.texts.names import CALENDAR, NAMED, Pair

SHARE, LEAST = 0.4, 3  # of the rows, or of the answers in a language, and so many at least
MOST = 400  # that are looked at, evenly from all
LONGEST_READ = 600  # characters of a text
GRAM = 4  # words, or Chinese characters, of the shortest text
SHORTEST_NAME = 3  # characters
BEGINS = re.compile(r"(?:^|[.!?。！？:：\"“'‘`\n*])\s*$")  # where any word may have a capital
PARTS = {True: re.compile("[\u4e00-\u9fff]+"), False: re.compile(r"[^.!?;:\n]+")}  # of Chinese, of other texts
SIGNS = " ,()\"'“”‘’*_-"
PARTICLES = ("是由在的我", "的了")  # that begin and end a Chinese text without being of a name


def recurring(rows: Sequence[Pair]) -> list[str]:
    """Names within sentences of many rows, and the longest texts of four words or characters in many answers."""
    stride = max(1, -(-len(rows) // MOST))
    read = [(question[:LONGEST_READ], answer[:LONGEST_READ]) for question, answer in rows[::stride]]
    counted = Counter(name for row in read for name in {one for text in row for one in _named(text)})
    names = [name for name, count in counted.items() if count >= max(LEAST, SHARE * len(read))]
    answers = [answer for _, answer in read]
    return list(dict.fromkeys([*names, *_shared(answers, chinese=True), *_shared(answers, chinese=False)]))


def _named(text: str) -> Iterable[str]:
    for found in NAMED.finditer(text):
        if not BEGINS.search(text[: found.start()]) and len(found[0]) >= SHORTEST_NAME and found[0] not in CALENDAR:
            yield found[0]


def _shared(answers: Sequence[str], *, chinese: bool) -> list[str]:
    """Of those in this language: texts that many have, none within a longer one."""
    answers = [answer for answer in answers if has_chinese(answer) == chinese]
    least = max(LEAST, SHARE * len(answers))
    joint = "" if chinese else " "
    runs = [[part if chinese else tuple(part.split()) for part in PARTS[chinese].findall(answer)] for answer in answers]
    # A complete part that many have is the longest text there, found without counting all that is within it.
    several = Counter(part for parts in runs for part in set(parts) if len(part) >= GRAM)
    whole = {part for part, count in several.items() if count >= least}
    runs = [[part for part in parts if part not in whole] for parts in runs]
    longest, size, frequent = set[str](), GRAM, None
    while frequent is None or frequent:
        counted: Counter[tuple[str, ...]] = Counter()
        for parts in runs:
            grams = {tuple(part[at : at + size]) for part in parts for at in range(len(part) - size + 1)}
            # A longer text is no more frequent than what it is made of.
            counted.update(one for one in grams if frequent is None or {one[:-1], one[1:]} <= frequent)
        frequent = {one for one, count in counted.items() if count >= least}
        longest -= {joint.join(part) for one in frequent for part in (one[:-1], one[1:])}
        longest |= {joint.join(one) for one in frequent}
        size += 1
    complete = {joint.join(part) for part in whole}
    longest = {one for one in longest | complete if not any(one != other and one in other for other in complete)}
    begins, ends = PARTICLES if chinese else (SIGNS, SIGNS)
    bare = dict.fromkeys(one.lstrip(begins).rstrip(ends) for one in sorted(longest))
    return [one for one in bare if len(one) >= SHORTEST_NAME]
