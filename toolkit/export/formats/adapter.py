"""The adapter as a folder that loads anywhere: base model by hub id and revision, a model card, the report as proof."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.core.documents import read_regular_json
from toolkit.core.file_set import write_file_set
from toolkit.core.files import json_text, write_json, write_lock, write_text
from toolkit.core.links import copy_regular_file, require_no_link
from toolkit.export.companions import LICENCE_FILES, copy_companions
from toolkit.export.evidence import Evidence, read_evidence
from toolkit.export.formats.base import Backends, ExportJob
from toolkit.export.model_card import CardFacts, render_card
from toolkit.export.parity import Parity, judge_parity
from toolkit.export.plain_peft import plain_peft_answers
from toolkit.export.portable import (
    base_name,
    languages,
    licence,
    local_paths,
    portable_config,
    redact_paths,
    redacted,
)
from toolkit.model.conversation import MAX_NEW_TOKENS
from toolkit.model.device import find_device
from toolkit.model.language_model import freeing
from toolkit.runs.comparison import with_digest
from toolkit.runs.layout import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    COMPARISON,
    MODEL_CARD,
    RECORD,
    REPORT,
    REPORT_TEXT,
    adapter_sha256,
)
from toolkit.runs.record import RunRecord

REPORT_FILES = frozenset({REPORT, REPORT_TEXT})


class PortableAdapter:
    name = "adapter"
    title = "portable adapter"
    folder = "adapter"
    options: Mapping[str, Any] = {}
    mutable_files = frozenset({RECORD, MODEL_CARD}) | REPORT_FILES

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:  # noqa: ARG002  # any run has an adapter
        return ()

    def bytes_needed(self, side: Side) -> int:
        assert side.adapter is not None
        return (side.adapter / ADAPTER_FILE).stat().st_size

    def write(self, folder: Path, job: ExportJob) -> Parity:
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model, model.side(job.key):
            # One question at a time, as plain peft is asked: on a card, batches of other sizes round differently.
            expected = model.answers(
                job.conversations, max_new_tokens=MAX_NEW_TOKENS, batch_size=1, listener=job.listener,
                task="With adapter",
            )  # fmt: skip
        copy_regular_file(job.adapter / ADAPTER_FILE, folder / ADAPTER_FILE)
        write_json(folder / ADAPTER_CONFIG, portable_config(job.side))
        copy_companions(folder, job.side, LICENCE_FILES)
        for name, text in _evidence_files(folder, job.side).items():
            if text is not None:
                write_text(folder / name, text)
        answered = plain_peft_answers(
            job.side.model.path, folder, job.conversations, max_new_tokens=MAX_NEW_TOKENS, listener=job.listener,
            task="Loaded by peft",
        )  # fmt: skip
        return judge_parity(job.prompts, expected, answered, find_device().precision)

    def refresh(self, folder: Path, side: Side) -> None:
        """Writes card and reports again, since the run may have been compared; the weights stay."""
        write_file_set(folder, _evidence_files(folder, side), own=True)


def _evidence_files(folder: Path, side: Side) -> dict[str, str | None]:
    """Card, record and reports, by name, None for a report that the run has not; the same run gives the same bytes."""
    assert side.run is not None
    digest = adapter_sha256(side.adapter)
    record = redacted(side.run.record.to_dict())
    comparison = side.run.folder / COMPARISON
    with write_lock(comparison) if comparison.is_dir() else nullcontext():  # both reports of one comparison
        evidence = read_evidence(comparison, digest, side.run.record.base_model)
        reports = _reports(comparison, evidence)
    facts = CardFacts(
        base=base_name(side.model),
        revision=side.model.revision if side.model.repository else None,
        architecture=str(side.model.config["model_type"]),
        licence=licence(side.model),
        licence_files=[name for name in LICENCE_FILES if (folder / name).is_file()],
        languages=languages(side.run.folder),
        adapter_sha256=str(digest),
        run=RunRecord.from_dict(record),
        evidence=evidence,
    )
    return {RECORD: json_text(record), MODEL_CARD: render_card(facts), **reports}


def _reports(comparison: Path, evidence: Evidence) -> dict[str, str | None]:
    """Only reports of this adapter."""
    found: dict[str, str | None] = dict.fromkeys(sorted(REPORT_FILES))
    if evidence.report is None:
        return found
    content = read_regular_json(comparison / REPORT)
    found[REPORT] = json_text(with_digest(redacted(content)))
    require_no_link(comparison / REPORT_TEXT)
    if (comparison / REPORT_TEXT).is_file():
        text = (comparison / REPORT_TEXT).read_text(encoding="utf-8")
        found[REPORT_TEXT] = redact_paths(text, local_paths(content))
    return found
