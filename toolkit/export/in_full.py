"""A run that was trained over a base in 4 bits, asked over that base as its files hold it: exports are made of that."""

from dataclasses import replace

from toolkit.artifact_parity import TOLERANCES, QuantisedParity, judge_quantised
from toolkit.compare import loaded
from toolkit.errors import ExportError
from toolkit.export.form import Job
from toolkit.language_model import released
from toolkit.sides import Side


def in_full(side: Side) -> Side:
    return replace(side, model=replace(side.model, in_4bit=False))


def require_alike(job: Job, trained: Side) -> QuantisedParity:
    """What it learnt must hold over both bases, as of a model that is quantised later; raises ExportError.

    `trained`: the side as it was trained; `job.side` as it is exported.
    """
    with released(loaded(job.doors.load, trained.model, {job.key: job.adapter})) as model, model.side(job.key):
        expected = job.answers(model, "In 4 bits")
    with released(loaded(job.doors.load, job.side.model, {job.key: job.adapter})) as model, model.side(job.key):
        answered = job.answers(model, "In full precision")
    parity = judge_quantised(job.probes, expected, answered, TOLERANCES["nf4"])
    if not parity.holds:
        raise ExportError(
            f"Over the full-precision base model this adapter answers otherwise than over 4 bits: {parity.why}.",
            next="Nothing was written; use the run as it is (chat, serve), or train it without load_in_4bit.",
        )
    return parity
