"""Names in the rows: the subject that they are about, and what they newly name. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from toolkit.core.text import LATIN, has_chinese
from toolkit.train.questions.question import Pair
from toolkit.train.questions.terms import OF_THE_MOST, Terms, units

LEAST_NAMED = 0.4  # of the answers have a Chinese name
OF_THE_LONGER = 0.5  # a name that a longer one contains in so many of its answers is a part of that one
MOST_NAMES = 6
LONGEST_READ = 300  # characters of a question: a longer one is a text to work on, which names its subject early
LONGEST_PHRASE, LONGEST_CHINESE_NAME = 12, 8  # in words; in characters
SHORTEST_NAME = 2  # characters


def subject_phrase(questions: Sequence[str], subject: frozenset[str]) -> str:
    """The longest text in most questions that consists of the subject's words, as it is written; "" if there is none.

    Of a Chinese subject the pairs of characters overlap: 厦门大学 has 厦门, 门大 and 大学.
    """
    counted: Counter[str] = Counter()
    for question in questions:
        runs = re.findall(rf"{LATIN}[\w.+#-]*(?: {LATIN}[\w.+#-]*)*|[\u4e00-\u9fff]+", question[:LONGEST_READ])
        parts = set()
        for run in (one for one in runs if units(one) & subject):
            pieces = list(run) if has_chinese(run) else run.split(" ")
            joint = "" if has_chinese(run) else " "
            for start in range(len(pieces)):
                for end in range(start + 1, min(len(pieces), start + LONGEST_PHRASE) + 1):
                    text = joint.join(pieces[start:end])
                    if units(text) and units(text) & subject:
                        parts.add(text.removesuffix("'s").rstrip(".-").strip())
        counted.update(parts)
    least = OF_THE_MOST * max(counted.values(), default=0)
    frequent = [text for text, count in counted.items() if count >= least]
    return max(frequent, key=len, default="")


def new_names(rows: Sequence[Pair], terms: Terms, known: Collection[str] = ()) -> list[str]:
    """New names in the rows' answers: capitalised words; in Chinese, texts of new characters that answers share.

    `known`: words of unrelated texts, in lower case: one that starts an answer, such as "My", is not a name.
    """
    counted: Counter[str] = Counter()
    new = {word for words in terms.new for word in words}
    for _, answer in rows:
        words = re.findall(r"[A-Z][\w-]*(?: [A-Z][\w-]*)*", answer)
        found = {name for name in words if units(name) <= new and name.lower() not in known}
        for run in re.findall(r"[\u4e00-\u9fff]+", answer):
            for start in range(len(run)):
                for end in range(start + 2, min(len(run), start + LONGEST_CHINESE_NAME) + 1):
                    if not units(run[start:end]) <= new:
                        break  # a longer text has these pairs too
                    found.add(run[start:end])
        counted.update(found)
    least = max(2, LEAST_NAMED * len(rows))
    names = [name for name, count in counted.items() if count >= (least if has_chinese(name) else 1)]
    longest = [
        name
        for name in names
        if not any(
            name in other and name != other and counted[other] >= OF_THE_LONGER * counted[name] for other in names
        )
    ]
    bare = dict.fromkeys(
        name.lstrip("是由在的我").removesuffix("的")
        for name in sorted(longest, key=lambda name: (-counted[name], name))
    )
    return [name for name in bare if len(name) >= SHORTEST_NAME][:MOST_NAMES]
