"""The shipped bank of questions out of scope, of which a comparison asks some beside the probe file's."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import DataError
from toolkit.core.files import data_folder
from toolkit.core.text import contains_any, names_any
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import OUT_OF_SCOPE, Probe, ProbeSet

FILE = "out_of_scope.jsonl"


@dataclass(frozen=True, kw_only=True)
class Bank:
    """`prompts`: in an order of which every beginning has all categories and both languages."""

    path: Path
    sha256: str
    prompts: Sequence[str]

    def probes(self, beside: ProbeSet, count: int, taken: Collection[str]) -> list[Probe]:
        """The first `count`, without prompts whose keys are `taken` and those that name what is taught."""
        found = (
            Probe(id=f"bank-{number}", group=OUT_OF_SCOPE, prompt=prompt)
            for number, prompt in enumerate(self.prompts, start=1)
            if prompt_key(prompt) not in taken
            and not names_any(prompt, beside.new_markers, any_case=True)
            and not contains_any(prompt, beside.old_markers)
        )
        return list(islice(found, max(count, 0)))


def read_bank() -> Bank:
    """The digest is that of the questions which were read. Raises DataError."""
    path = data_folder() / FILE
    try:
        text = read_text(path)
        prompts = [str(parse_json(line)["prompt"]) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"The bank of questions {path} cannot be read: {error}.", next="Restore it.") from None
    return Bank(path=path, sha256=hashlib.sha256(text.encode()).hexdigest(), prompts=prompts)
