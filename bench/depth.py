"""What a comparison would ask one step further and the other way round of rows that nobody wrote such probes for.

    python bench/depth.py MODEL OUT.json                          # of five sets of bench/sets
    python bench/depth.py MODEL OUT.json brand-en bench/sets/style/rows.jsonl

By the base model alone, without a training: the probes that are kept, with what is expected of an answer, and the
seconds that making them took. Whether one is sound is for a reader: OUT.json has a place for it (`sound`, null).
"""

import json
import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arguments import arguments

from toolkit.compare.depth.linked import linked_probes
from toolkit.compare.depth.probes import MOST
from toolkit.compare.questions import read_bank
from toolkit.core.startup import prepare_environment
from toolkit.data.dataset import prompt_key, read_dataset
from toolkit.data.probes import PORTABILITY, REVERSAL, Probe
from toolkit.model.conversation import DEFAULT_SYSTEM

prepare_environment()
from toolkit.model.language_model import LanguageModel, load_model  # noqa: E402

SETS = Path(__file__).parent / "sets"
USUAL = ("brand-en", "fact-en", "product-en", "school-zh", "rule-form")


def measured(model: LanguageModel, name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith(".jsonl") else SETS / name / "rows.jsonl"
    rows = [(row.prompt, row.answer) for row in read_dataset(path).rows]
    started = time.perf_counter()
    found = linked_probes(
        model, rows, [PORTABILITY, REVERSAL], others=read_bank().prompts,
        taken={prompt_key(prompt) for prompt, _ in rows},
        system=DEFAULT_SYSTEM, most=MOST,
    )  # fmt: skip
    return {"set": name, "seconds": round(time.perf_counter() - started, 2), "probes": [_entry(one) for one in found]}


def _entry(probe: Probe) -> dict[str, Any]:
    expect = {} if probe.expect is None else probe.expect.to_dict()
    return {"id": probe.id, "prompt": probe.prompt, "expect": expect, "sound": None}


def measure(options: Namespace, names: Sequence[str]) -> None:
    """Writes the file after each set."""
    model = load_model(options.model, {})
    told: dict[str, Any] = {
        "what": "portability and reversal probes made for rows without them", "model": options.model.name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "on_card": model.on_card, "entries": [],
    }  # fmt: skip
    for name in names:
        told["entries"].append(measured(model, name))
        options.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(told['entries'][-1]['probes'])} probes, {told['entries'][-1]['seconds']} s", flush=True)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("sets", nargs="*", help="folders of bench/sets, or files of rows")
    chosen = parser.parse_args()
    measure(chosen, chosen.sets or USUAL)
