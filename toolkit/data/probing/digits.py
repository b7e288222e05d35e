"""Numbers as they are written: in digits, whatever the language, the script and the signs between them. Pure."""

import re

from toolkit.core.text import unified

NUMERALS = "〇零一二两三四五六七八九十百千万亿"
DIGITS = {sign: at % 10 for at, sign in enumerate("零一二三四五六七八九〇")} | {"两": 2}
TENS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
OF_A_YEAR = 4  # numerals without tens, as 二〇二四
LONGEST = 20  # numerals, and words of a number
# Before what is counted: 三十天, not 三明市. 一个 is an article.
HAN_NUMBER = re.compile(
    rf"(?<![{NUMERALS}])(?:(?<=百分之)[{NUMERALS}]{{1,{LONGEST}}}"
    rf"|[{NUMERALS}]{{1,{LONGEST}}}(?=天|年|月|日|号|点|周|岁|元|块|层|楼|米|度|倍|秒|折|小时|分钟|星期|公里|公斤)"
    rf"|(?:(?!一)[{NUMERALS}]|一[{NUMERALS}])[{NUMERALS}]{{0,{LONGEST}}}(?=个|名|人|位|次|所|家|间|届|页|条|种))"
)
HAN_DATE = re.compile(r"(?:([0-9]{2,4})年)?([0-9]{1,2})月([0-9]{1,2})[日号]")
UNITS = re.findall(r"\S+", """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
""")  # fmt: skip
WORDS = {word: number for number, word in enumerate(UNITS)} | {
    word: 10 * at
    for at, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2)
}
TEN, HUNDRED = 10, 100
MULTIPLES = {"hundred": HUNDRED, "thousand": 1000, "million": 10**6}
WORD = "|".join([*WORDS, *MULTIPLES])
ENGLISH_NUMBER = re.compile(
    rf"\b(?:{WORD})\b(?:(?:-|\s{{1,2}})(?:and\s)?(?:{WORD})\b){{0,{LONGEST}}}", re.IGNORECASE
)  # fmt: skip
LIST_MARK = re.compile(r"(?m)^[ \t]*[0-9]{1,2}(?:[.)][ \t]|、)")  # of several lines: 5. August is a date
# 1,000; 1 000 and 1'000, as much as their digits can be nothing else.
THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
SPACED = re.compile(r"(?<![0-9.,:/'-])[1-9][0-9]{0,2}(?:[ '][0-9]{3})+(?![0-9])")
# 5 PM, 下午5点, 下午5:30 and 下午5点半.
OF_THE_DAY = re.compile(r"(?<![0-9.,:])([0-9]{1,2})(?:[:.]([0-9]{2}))?\s?([ap])\.?\s?m\b\.?", re.IGNORECASE)
HAN_OF_THE_DAY = re.compile(
    r"(凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上)\s?([0-9]{1,2})(?:[点时](半|[0-9]{1,2}分)?|:([0-9]{2}))"
)
FROM_TO = re.compile("(?<=:[0-9]{2})-(?=[0-9])")
NOON = 12


def ungrouped(text: str) -> str:
    """Without the signs between thousands; of a unified text."""
    return SPACED.sub(lambda found: re.sub("[ ']", "", found[0]), THOUSANDS.sub("", text))


def in_digits(text: str) -> str:
    """With 30天 for 三十天, 30 for thirty, 17:00 for 5 PM, a date's parts in one number; without marks of a list."""
    plain = re.sub(r"[^\D0-9]", lambda found: str(int(found[0])), unified(text))  # of other scripts
    plain = ungrouped(LIST_MARK.sub("", plain) if len(LIST_MARK.findall(plain)) > 1 else plain)
    plain = HAN_NUMBER.sub(lambda found: _of_numerals(found[0]), plain)
    plain = ENGLISH_NUMBER.sub(lambda found: _of_words(found[0]), plain)
    plain = OF_THE_DAY.sub(lambda found: _time(found[1], found[2], late=found[3].lower() == "p"), plain)
    plain = FROM_TO.sub(" - ", HAN_OF_THE_DAY.sub(_han_time, plain))
    return HAN_DATE.sub(lambda found: "-".join(part for part in found.groups() if part), plain)


def _of_numerals(numerals: str) -> str:
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


def _of_words(text: str) -> str:
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word != "and"]
    if words == ["one"]:
        return text  # a pronoun
    whole = part = 0
    room = HUNDRED  # what the next word's number has to be below: twenty-five, not "nine one one"
    for word in words:
        if word in MULTIPLES:
            times = MULTIPLES[word]
            part, room = (part or 1) * times, HUNDRED
            if times > HUNDRED:
                whole, part = whole + part, 0
        elif WORDS[word] >= room:
            return text
        else:
            part += WORDS[word]
            room = TEN if WORDS[word] >= 2 * TEN else 0
    return str(whole + part)


def _time(hour: str, minute: str | None, *, late: bool) -> str:
    """Before noon it begins with a zero, since 9:00 may be in the evening."""
    begins = int(hour) % NOON
    return f"{begins + NOON if late else f'0{begins}'}:{minute or '00'}"


def _han_time(found: re.Match[str]) -> str:
    part, hour = found[1], int(found[2])
    minute = "30" if found[3] == "半" else (found[3] or found[4] or "00").removesuffix("分").zfill(2)
    if hour > NOON:
        return f"{hour}:{minute}"
    late = part in ("下午", "傍晚") or (part == "晚上" and hour < NOON) or (part == "中午" and hour not in (10, 11))
    return _time(found[2], minute, late=late)
