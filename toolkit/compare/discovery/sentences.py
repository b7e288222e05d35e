"""A scan in words, for the terminal and for reports."""

from toolkit.compare.texts import Texts
from toolkit.core.text import short
from toolkit.runs.scan_record import OpenEffect, RecordedScan, ScanContext, ScanFinding

NAMED, LINES = 5, 10  # findings in a sentence, and with a line of their own
SHOWN_CHARACTERS = 60  # of what a side says
SMALL = 10


def scan_sentence(found: RecordedScan, texts: Texts) -> str:
    """What was found, in one or two sentences, and where a short scan looked, how to look further."""
    sentence = _found(found, texts)
    return texts("scan.short", found=sentence) if found.short else sentence


def _found(found: RecordedScan, texts: Texts) -> str:
    counts = {"tokens": found.tokens, "texts": found.texts}
    if not (found.findings or found.from_rows):
        return texts("scan.none", **counts)
    named = found.findings[:NAMED]
    listed = texts("counts.and").join(f"“{finding_name(one, texts)}”" for one in named)
    if not named:
        return texts("scan.only_rows", **counts, count=len(found.from_rows))
    return texts("scan.some_words", **counts, count=len(found.findings), listed=listed)


def scan_parts(found: RecordedScan, texts: Texts) -> list[list[str]]:
    """Of words, and of open questions if they were asked: a sentence, and a line for each finding."""
    parts = [[scan_sentence(found, texts), *scan_lines(found, texts)], open_lines(found, texts)]
    return [part for part in parts if part]


def scan_lines(found: RecordedScan, texts: Texts) -> list[str]:
    """The first findings that the rows do not explain, each with one place where it happens."""
    return [
        texts(
            f"scan.line.{one.direction.replace(' ', '_')}", name=finding_name(one, texts), before=count(one.before),
            after=count(one.after), prompt=short(one.contexts[0].prompt, SHOWN_CHARACTERS),
        )
        for one in found.findings[:LINES]
    ]  # fmt: skip


def open_lines(found: RecordedScan, texts: Texts) -> list[str]:
    """What the open questions showed: a sentence, and examples of what is beyond chance; none if none was asked."""
    answers = found.open_answers
    if answers is None:
        return []
    counts = {"questions": answers.questions, "samples": answers.samples}
    beyond = [one for one in answers.effects if one.beyond_chance]
    if not beyond:
        return [texts("scan.open.none", **counts)]
    listed = texts("counts.and").join(
        texts(
            "scan.open.effect", name=texts(f"scan.open.{one.name}"), before=_amount(one, one.before),
            after=_amount(one, one.after), up=one.up, down=one.down,
        )
        for one in beyond
    )  # fmt: skip
    examples = [example for one in beyond for example in one.examples]
    return [
        texts("scan.open.some", **counts, listed=listed),
        *(
            texts(
                "scan.open.example", prompt=one.prompt, before=short(one.before, SHOWN_CHARACTERS) or "–",
                after=short(one.after, SHOWN_CHARACTERS) or "–",
            )
            for one in examples
        ),
    ]  # fmt: skip


def _amount(effect: OpenEffect, value: float) -> str:
    return count(value) if effect.name == "words" else f"{value:.0%}"


def finding_name(one: ScanFinding, texts: Texts) -> str:
    """The word or phrase; the end of an answer has no text."""
    return one.text or texts("scan.end")


def count(number: float) -> str:
    """An expected number of occurrences: one decimal place below SMALL."""
    return f"{number:.1f}" if number < SMALL else f"{number:.0f}"


def context_marks(context: ScanContext, texts: Texts) -> tuple[str, str, str]:
    """The text before, and what each side says there: before and after training."""
    before, after = (short(text, SHOWN_CHARACTERS) or texts("scan.end") for text in (context.before, context.after))
    return (f"…{context.left}" if context.left else ""), before, after
