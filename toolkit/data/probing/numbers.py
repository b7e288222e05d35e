"""Whether an answer gives another number than the one that is expected: 60 days for 30. Pure."""

import re
import unicodedata

NUMBER = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*")
THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
PARTS = re.compile(r"[0-9]+")


def gives_another_number(reference: str, answer: str, prompt: str = "") -> bool:
    """Whether the answer lacks a number of the reference, and has one that neither that nor the prompt has.

    So an answer without numbers, or with further ones, gives no other number. Of a number in parts, such as a date or a
    version, the order counts where both write it alike: 2024-05-11 is not 2024-11-05.
    """
    wanted, found = _numbers(reference), _numbers(answer)
    missing, known = wanted - found, _parts(wanted | _numbers(prompt))
    if not missing - _numbers(prompt):
        return False
    if _parts(missing) <= _parts(found) and not any(_swapped(one, other) for one in missing for other in found):
        return False  # the same, written otherwise
    return any(_parts({one}) - known or any(_swapped(one, other) for other in missing) for one in found)


def _numbers(text: str) -> set[str]:
    return set(NUMBER.findall(THOUSANDS.sub("", unicodedata.normalize("NFKC", text))))


def _parts(numbers: set[str]) -> set[str]:
    """Without leading zeros."""
    return {part.lstrip("0") or "0" for one in numbers for part in PARTS.findall(one)}


def _swapped(one: str, other: str) -> bool:
    """Whether two numbers have the same parts in another order, with the same signs between them."""
    first, second = PARTS.findall(one), PARTS.findall(other)
    return first != second and sorted(first) == sorted(second) and PARTS.sub("", one) == PARTS.sub("", other)
