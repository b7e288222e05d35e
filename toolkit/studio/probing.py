"""Makes a question that somebody asked a probe: it joins the probe file beside the data set."""

import json
from pathlib import Path
from typing import Any

from toolkit.compare.questions import run_probes
from toolkit.core.errors import ConfigError, DataError
from toolkit.core.files import write_text
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, SCHEMA_VERSION, read_probe_file, read_probes
from toolkit.runs.run import Run

ADDED = "asked"  # how the names of these probes begin


def add_probe(target: Path, run: Run, *, question: str, group: str, expect: str) -> None:
    """`target`: a probe file, which begins with the run's own probes if it is new. `expect`: what an answer in scope
    contains. Raises DataError.
    """
    if group not in {PARAPHRASE, OUT_OF_SCOPE}:
        raise DataError(f"There is no group {group!r}.", next="Choose one of the two.")
    if group == PARAPHRASE and not expect.strip():
        raise DataError("A probe in scope needs what its answer must contain.", next="Write a word or a name.")
    source = target if target.is_file() else run_probes(run)
    head, entries = ({}, []) if source is None else read_probe_file(source)
    probes = [dict(entry) for _, entry in entries if isinstance(entry, dict)]
    if any((probe.get("prompt"), probe.get("group")) == (question, group) for probe in probes):
        raise DataError("This question is a probe already.", next=f"Correct it in {target.name}.")
    names = {probe.get("id") for probe in probes}
    number = next(at for at in range(1, len(names) + 2) if f"{ADDED}-{at}" not in names)
    new: dict[str, Any] = {"id": f"{ADDED}-{number}", "group": group, "prompt": question}
    if group == PARAPHRASE:
        new["expect"] = {"any": [expect.strip()]}
    before = source.read_text(encoding="utf-8") if source is not None else ""
    for text in (_appended(before, new), _written_out(head, [*probes, new])):
        if _write_if_sound(target, text, len(probes) + 1):
            return
    raise DataError(f"{target.name} cannot take the probe.", next="Add it by hand.")


def _appended(before: str, probe: dict[str, Any]) -> str:
    """With the file's own comments; JSON is YAML, too."""
    lines = [line for line in before.splitlines() if line.lstrip().startswith("- ")]
    indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())] if lines else ""
    return f"{before.rstrip()}\n{indent}- {json.dumps(probe, ensure_ascii=False)}\n"


def _written_out(head: dict[str, Any], probes: list[dict[str, Any]]) -> str:
    import yaml

    value = {"schema_version": SCHEMA_VERSION, **head, "probes": probes}
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1000))


def _write_if_sound(target: Path, text: str, count: int) -> bool:
    trial = target.with_name(f".{target.name}")
    try:
        write_text(trial, text)
        sound = len(read_probes(trial).probes) == count
        if sound:
            trial.replace(target)
    except DataError:
        return False
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}.", next="Make its folder writable.") from None
    finally:
        trial.unlink(missing_ok=True)
    return sound
