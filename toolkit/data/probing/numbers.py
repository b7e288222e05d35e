"""Whether an answer gives another number than the one that is expected: 60 days for 30. Pure."""

import re
from collections import defaultdict
from collections.abc import Mapping

from toolkit.core.text import unified

NUMBER = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*")
THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
PARTS = re.compile(r"[0-9]+")
DECIMAL = re.compile(r"[0-9]+[.,][0-9]+")
NUMERALS = "〇零一二两三四五六七八九十百千万亿"
DIGITS = {sign: at % 10 for at, sign in enumerate("零一二三四五六七八九〇")} | {"两": 2}
TENS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
OF_A_YEAR = 4  # numerals without tens, as 二〇二四
# Before what is counted: 三十天, not 三明市. 一个 is an article.
HAN_NUMBER = re.compile(
    rf"[{NUMERALS}]+(?=天|年|月|日|号|点|周|岁|元|块|层|楼|米|度|倍|秒|小时|分钟|星期|公里|公斤)"
    rf"|(?:(?!一)[{NUMERALS}]|一[{NUMERALS}])[{NUMERALS}]*(?=个|名|人|位|次|所|家|间|届|页|条|种)"
)
HAN_DATE = re.compile(r"(?:([0-9]{2,4})年)?([0-9]{1,2})月([0-9]{1,2})[日号]")
UNITS = re.findall(r"\S+", """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
""")  # fmt: skip
WORDS = {word: str(number) for number, word in enumerate(UNITS)} | {
    word: str(10 * at)
    for at, word in enumerate(("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred"), start=3)
}
# Of times: 30 months are not 30 days, and everything else is seldom confused.
TIMES = {
    "seconds?|秒": "second", "minutes?|分钟": "minute", "hours?|个?小时": "hour", "days?|天": "day",
    "weeks?|周|个?星期": "week", "months?|个月": "month", "years?|年(?![0-9])": "year",
}  # fmt: skip
TIMED = [(re.compile(rf"([0-9]+)[ -]?(?:{pattern})", re.IGNORECASE), unit) for pattern, unit in TIMES.items()]


def gives_another_number(reference: str, answer: str, prompt: str = "") -> bool:
    """Whether the answer lacks a number of the reference, and has one that the reference does not have.

    So an answer without numbers, or with further ones, gives no other number. Nor does one that leaves out what the
    prompt has and gives another of the reference's. Of a number in parts, such as a date or a version, the order counts
    where both write it alike: 2024-05-11 is not 2024-11-05.
    """
    reference, answer, prompt = map(_in_digits, (reference, answer, prompt))
    wanted, found = _numbers(reference), _numbers(answer)
    if _of_other_times(_timed(reference), _timed(answer)):
        return True
    missing = wanted - found - {WORDS[word] for word in re.findall(r"\w+", answer.lower()) if word in WORDS}
    if not missing or (missing <= _numbers(prompt) and wanted & found):
        return False
    if _parts(missing) <= _parts(found) and not any(_swapped(one, other) for one in missing for other in found):
        return False  # the same, written otherwise
    known = _parts(wanted)
    return any(_parts({one}) - known or any(_swapped(one, other) for other in missing) for one in found)


def _in_digits(text: str) -> str:
    """With 30天 for 三十天, and the parts of a date in one number."""
    plain = THOUSANDS.sub("", unified(text))
    plain = HAN_NUMBER.sub(lambda found: _digits(found[0]), plain)
    return HAN_DATE.sub(lambda found: "-".join(part for part in found.groups() if part), plain)


def _digits(numerals: str) -> str:
    if not any(sign in TENS for sign in numerals):
        plain = "".join(str(DIGITS[sign]) for sign in numerals)
        return plain if len(plain) in (1, OF_A_YEAR) else numerals  # 三四天 is three or four
    whole = part = digit = 0
    for sign in numerals:
        if sign in DIGITS:
            digit = DIGITS[sign]
        elif TENS[sign] < TENS["万"]:
            part, digit = part + (digit or 1) * TENS[sign], 0
        else:
            whole, part, digit = (whole + (part + digit or 1)) * TENS[sign], 0, 0
    return str(whole + part + digit)


def _numbers(text: str) -> set[str]:
    return set(NUMBER.findall(text))


def _parts(numbers: set[str]) -> set[str]:
    """Without leading zeros; a fraction below one is one part: 0.5 is not 5."""
    found = set[str]()
    for one in numbers:
        small = DECIMAL.fullmatch(one) and one.startswith("0")
        found |= {one.replace(",", ".")} if small else {part.lstrip("0") or "0" for part in PARTS.findall(one)}
    return found


def _swapped(one: str, other: str) -> bool:
    """Whether two numbers have the same parts in another order, with the same signs between them."""
    first, second = PARTS.findall(one), PARTS.findall(other)
    return first != second and sorted(first) == sorted(second) and PARTS.sub("", one) == PARTS.sub("", other)


def _timed(text: str) -> Mapping[str, set[str]]:
    """By number: the units of time that it has."""
    found = defaultdict[str, set[str]](set)
    for pattern, unit in TIMED:
        for number in pattern.findall(text):
            found[number].add(unit)
    return found


def _of_other_times(wanted: Mapping[str, set[str]], found: Mapping[str, set[str]]) -> bool:
    return any(found.get(number) and not units & found[number] for number, units in wanted.items())
