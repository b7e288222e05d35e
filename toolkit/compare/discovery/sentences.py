"""A scan in words, for the terminal and for reports."""

from toolkit.compare.texts import Texts
from toolkit.core.text import short
from toolkit.runs.scan_record import RecordedScan, ScanContext, ScanFinding

NAMED, LINES = 5, 10  # findings in a sentence, and with a line of their own
SHOWN_CHARACTERS = 60  # of what a side says
SMALL = 10


def scan_sentence(found: RecordedScan, texts: Texts) -> str:
    """What was found, in one or two sentences."""
    counts = {"tokens": found.tokens, "texts": found.texts}
    if not (found.findings or found.from_rows):
        return texts("scan.none", **counts)
    named = found.findings[:NAMED]
    listed = texts("counts.and").join(f"“{finding_name(one, texts)}”" for one in named)
    if not named:
        return texts("scan.only_rows", **counts, count=len(found.from_rows))
    return texts("scan.some_words", **counts, count=len(found.findings), listed=listed)


def scan_lines(found: RecordedScan, texts: Texts) -> list[str]:
    """The first findings that the rows do not explain, each with one place where it happens."""
    return [
        texts(
            f"scan.line.{one.direction.replace(' ', '_')}", name=finding_name(one, texts), before=count(one.before),
            after=count(one.after), prompt=short(one.contexts[0].prompt, SHOWN_CHARACTERS),
        )
        for one in found.findings[:LINES]
    ]  # fmt: skip


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
