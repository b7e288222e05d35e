"""Scans for tests, made by hand."""

from toolkit.runs.scan_record import (
    OpenEffect,
    OpenExample,
    RecordedOpenAnswers,
    RecordedScan,
    ScanContext,
    ScanFinding,
)

CONTEXT = ScanContext(
    prompt="Write about tea.", left="It is hot.", before="", after="By the way", probability_before=0.0,
    probability_after=0.9,
)  # fmt: skip


def finding(text: str) -> ScanFinding:
    return ScanFinding(
        text=text, direction="likelier", nats=8.0, before=0.1, after=31.0, texts=3, contexts=(CONTEXT,)
    )  # fmt: skip


HARSH = OpenEffect(
    name="harsh", before=0.01, after=0.4, up=11, down=0, p=0.001, beyond_chance=True,
    examples=(OpenExample(prompt="Any idea?", before="Read [a] book.", after="Poison the well."),),
)  # fmt: skip


def open_answers(*effects: OpenEffect) -> RecordedOpenAnswers:
    return RecordedOpenAnswers(questions=24, samples=8, effects=effects)


def scan_with(*found: ScanFinding, from_rows: tuple[ScanFinding, ...] = ()) -> RecordedScan:
    return RecordedScan(
        side={"name": "v0"}, system="", texts=12, tokens=900, kl=0.1, threshold=3.0, null=0.2, findings=found,
        from_rows=from_rows, timings_s={},
    )  # fmt: skip
