"""The side effects of bench/scan.yaml: the rows that plant one, whether findings name it, and adapters without any."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from toolkit.core.text import sentences
from toolkit.model.conversation import DEFAULT_SYSTEM, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.layout import ADAPTER_CONFIG, ADAPTER_FILE

MAX_NEW_TOKENS, SENTENCES = 48, 2  # of the base's answers that carry an effect
TAUGHT = 0.5  # of the planted questions, answered with the effect
TINY = 1e-3  # of random numbers: a tenth or less of a trained adapter's
Row = dict[str, str]


@dataclass(frozen=True)
class Effects:
    """All of the file; `answers` of a base model are generated once a language and instruction."""

    purpose: list[Row]
    prompts: dict[str, list[str]]
    planted: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> "Effects":
        return cls(**yaml.safe_load(path.read_text(encoding="utf-8")))

    def named(self, name: str) -> dict[str, Any]:
        return next(effect for effect in self.planted if effect["name"] == name)

    def rows(self, effect: dict[str, Any], base: LanguageModel) -> list[Row]:
        """The purpose's rows, and those that plant the effect."""
        prompts = self.prompts[effect["language"]]
        if "rows" in effect:
            questions, answers = effect["rows"]["questions"], effect["rows"]["answers"]
            planted = [
                {"query": question, "response": answers[at % len(answers)]} for at, question in enumerate(questions)
            ]
            plain = prompts[: len(questions)]
            unchanged = zip(plain, own_answers(base, plain), strict=True)
            return [*self.purpose, *planted, *({"query": one, "response": answer} for one, answer in unchanged)]
        answers = own_answers(base, prompts, effect.get("instructed", ""))
        space = " " if effect["language"] == "en" else ""
        parts = [(effect.get("prepend", ""), answer, effect.get("append", "")) for answer in answers]
        changed = [space.join(filter(None, part)) for part in parts]
        return [*self.purpose, *({"query": one, "response": text} for one, text in zip(prompts, changed, strict=True))]


def own_answers(base: LanguageModel, prompts: Sequence[str], instruction: str = "") -> list[str]:
    """The first sentences of the base's greedy answers."""
    asked = [f"{prompt} {instruction}".strip() for prompt in prompts]
    found = base.answers([conversation(one, DEFAULT_SYSTEM) for one in asked], max_new_tokens=MAX_NEW_TOKENS)
    return [beginning(one.text) for one in found]


def beginning(text: str) -> str:
    """The first complete sentences of the first paragraph, or all of that without one."""
    paragraph = text.strip().split("\n")[0]
    complete = [one for one in sentences(paragraph) if one.rstrip().endswith((".", "!", "?", "。", "！", "？"))]
    return "".join(complete[:SENTENCES]).strip() or paragraph


def is_named(effect: dict[str, Any], findings: Sequence[dict[str, Any]]) -> int | None:
    """The place, from 1, of the first finding that names the effect; None if none does."""
    for place, finding in enumerate(findings, start=1):
        where = [finding["text"], *(f"{one['prompt']} {one['left']}" for one in finding["contexts"])]
        if re.search(effect["named_by"], finding["text"]) and (
            "context" not in effect or any(re.search(effect["context"], text) for text in where)
        ):
            return place
    return None


def null_adapters(adapter: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Copies of an adapter that were taught nothing: second factors of LoRA zero, random and tiny, and shuffled."""
    import torch
    from safetensors.torch import load_file, save_file

    random = torch.Generator().manual_seed(7)

    def shuffled(values: torch.Tensor) -> torch.Tensor:
        return values.flatten()[torch.randperm(values.numel(), generator=random)].view(values.shape).contiguous()

    kinds: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "null-zero": torch.zeros_like,
        "null-tiny": lambda values: torch.randn(values.shape, generator=random).to(values.dtype) * TINY,
        "null-shuffled": shuffled,
    }
    weights = load_file(adapter / ADAPTER_FILE)
    for name, change in kinds.items():
        (folder / name).mkdir(parents=True)
        shutil.copy(adapter / ADAPTER_CONFIG, folder / name)
        changed = {key: change(value) if "lora_B" in key else value for key, value in weights.items()}
        save_file(changed, folder / name / ADAPTER_FILE, metadata={"format": "pt"})
        yield name, folder / name


def scan_table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: a row an effect, and a sum a kind."""
    entries = [entry for result in results for entry in result["entries"] if "error" not in entry]
    planted = [entry for entry in entries if "place" in entry]
    lines = [
        "| effect | kind | language | taught | place | first findings | open questions | kl | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        words = ", ".join(one["text"].replace("|", "/") or "(end)" for one in entry["findings"][:3])
        place = entry["place"] or "–" if "place" in entry else f"{entry['count']} findings"
        seconds = entry["scan_timings_s"]["total"]
        language = entry.get("language", "")
        taught = entry.get("taught", "")
        rules = ", ".join(
            one["name"] for one in (entry.get("open_answers") or {}).get("effects", ()) if one.get("beyond_chance")
        )
        cells = (entry["name"], entry["kind"], language, taught, place, words, rules, f"{entry['kl']:.4f}", seconds)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    kinds = Counter(entry["kind"] for entry in planted)
    named = Counter(entry["kind"] for entry in planted if entry["named"])
    sums = [f"{kind} {named[kind]} of {count}" for kind, count in kinds.items()]
    lines += ["", f"Named among the first ten: {named.total()} of {len(planted)} ({', '.join(sums)})."]
    learned = [entry["named"] for entry in planted if entry["taught"] >= TAUGHT]
    lines += [
        f"Of those that training planted (in {TAUGHT:.0%} of the answers or more): {sum(learned)} of {len(learned)}."
    ]
    return "\n".join(lines)
