"""Whether an answer gives another number than the one that is expected: 60 days for 30. Pure."""

import re
from collections import defaultdict
from collections.abc import Mapping

from toolkit.data.probing.digits import NOON, in_digits

NUMBER = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*")
PARTS = re.compile(r"[0-9]+")
DECIMAL = re.compile(r"[0-9]+[.,][0-9]+")
GROUPED = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+")
LINKED = re.compile(r"[0-9]+(?:[/-][0-9]+)+")
LEAST_LINKED = 5  # digits of a number, such as that of a telephone, which may be written without the signs in it
TIME = re.compile(r"([0-9]{1,3})(?:[:.]([0-9]{2}))?")
HOUR = 60  # minutes
# Of times: 30 months are not 30 days, nor is 5 May 5 August. Everything else is seldom confused.
TIMES = {
    "seconds?|秒": "second", "minutes?|分钟": "minute", "hours?|个?小时": "hour", "days?|天": "day",
    "weeks?|周|个?星期": "week", "months?|个月": "month", "years?|年(?![0-9])": "year",
}  # fmt: skip
MONTHS = (
    "Jan(?:uary)?", "Feb(?:ruary)?", "Mar(?:ch)?", "Apr(?:il)?", "May", "June?", "July?", "Aug(?:ust)?",
    "Sept?(?:ember)?", "Oct(?:ober)?", "Nov(?:ember)?", "Dec(?:ember)?",
)  # fmt: skip
TIMED = [(re.compile(rf"([0-9]+)[ -]?(?:{pattern})", re.IGNORECASE), unit) for pattern, unit in TIMES.items()]
TIMED += [(re.compile(rf"([0-9]+)(?:st|nd|rd|th|\.)?(?: of)? {month}\b", re.IGNORECASE), month) for month in MONTHS]
TIMED += [(re.compile(rf"\b{month}\.? ([0-9]+)", re.IGNORECASE), month) for month in MONTHS]


def gives_another_number(reference: str, answer: str, prompt: str = "") -> bool:
    """Whether the answer lacks a number of the reference, and has one that the reference does not have.

    So an answer without numbers, or with further ones, gives no other number. Nor does one that leaves out what the
    prompt has and gives another of the reference's. A number in parts, such as a date or a version, is another one
    where both write it alike: 2024-05-11 is not 2024-11-05.
    """
    reference, answer, prompt = map(in_digits, (reference, answer, prompt))
    wanted, found = _numbers(reference), _numbers(answer)
    if _of_other_times(_timed(reference), _timed(answer)):
        return True
    missing = {one for one in wanted if not any(_same(one, other) for other in found)}
    if not missing or (missing <= _numbers(prompt) and missing != wanted):
        return False
    differs = any(_of_one_form(one, other) or _goes_on(one, other) for one in missing for other in found)
    if _parts(missing) <= _parts(found) and not differs:
        return False  # the same, written otherwise
    known = _parts(wanted)
    further = {one for one in found if not any(_same(other, one) for other in wanted)}
    return any(_parts({one}) - known or any(_of_one_form(one, other) for other in missing) for one in further)


def as_written(reference: str, answer: str) -> tuple[str, str]:
    """Both in digits, and the answer with the reference's numbers as they are written there: 17:00 for 5."""
    reference, answer = in_digits(reference), in_digits(answer)
    wanted = sorted(_numbers(reference))
    own = {
        one: next((other for other in wanted if _same(other, one)), one) for one in _numbers(answer).difference(wanted)
    }
    return reference, NUMBER.sub(lambda found: own.get(found[0], found[0]), answer)


def _same(one: str, other: str) -> bool:
    """Whether two numbers are one: 1.250 and 1250; 555-0123 and 5550123; 17:00, 5:00 and 5, but not 5 AM, 05:00."""
    if one == other:
        return True
    if ":" in one + other:
        return bool(_minutes(one) & _minutes(other))
    if LINKED.fullmatch(one) and LINKED.fullmatch(other) and PARTS.sub("", one) == PARTS.sub("", other):
        return [*map(int, PARTS.findall(one))] == [*map(int, PARTS.findall(other))]  # 2024-8-5 is 2024-08-05
    return _joined(one) == _joined(other)


def _joined(number: str) -> str:
    digits = "".join(PARTS.findall(number))
    return digits if GROUPED.fullmatch(number) or (LINKED.fullmatch(number) and len(digits) >= LEAST_LINKED) else number


def _minutes(number: str) -> set[int]:
    """Of the day: of 5:00 twice, since it may be in the afternoon, of 05:00 once."""
    time = TIME.fullmatch(number)
    if time is None:
        return set()
    minutes = int(time[1]) * HOUR + int(time[2] or 0)
    return {minutes} if number.startswith("0") or int(time[1]) >= NOON else {minutes, minutes + NOON * HOUR}


def _numbers(text: str) -> set[str]:
    return set(NUMBER.findall(text))


def _parts(numbers: set[str]) -> set[str]:
    """Without leading zeros; a fraction below one is one part: 0.5 is not 5."""
    found = set[str]()
    for one in numbers:
        small = DECIMAL.fullmatch(one) and one.startswith("0")
        found |= {one.replace(",", ".")} if small else {part.lstrip("0") or "0" for part in PARTS.findall(one)}
    return found


def _of_one_form(one: str, other: str) -> bool:
    """Whether two numbers that are not one have the same signs between their parts: 17:30 and 17:00, 1.2 and 2.1."""
    return (form := PARTS.sub("", one)) != "" and form == PARTS.sub("", other) and not _same(one, other)


def _goes_on(one: str, other: str) -> bool:
    """Whether the other is a longer number that begins with this one: 3.1.4 with 3.1, 5:30 with 5; 3.1.0 is 3.1."""
    rest = other.removeprefix(one)
    goes_on = rest != other and (rest.startswith(":") or (rest.startswith(".") and "." in one))
    return goes_on and int(PARTS.findall(rest)[0]) > 0


def _timed(text: str) -> Mapping[str, set[str]]:
    """By number: the units of time that it has."""
    found = defaultdict[str, set[str]](set)
    for pattern, unit in TIMED:
        for number in pattern.findall(text):
            found[number].add(unit)
    return found


def _of_other_times(wanted: Mapping[str, set[str]], found: Mapping[str, set[str]]) -> bool:
    return any(found.get(number) and not units & found[number] for number, units in wanted.items())
