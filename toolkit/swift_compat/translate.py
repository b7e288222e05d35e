"""Translates a command line of ms-swift 2 or 3 to 4, with a note for each change. Pure: starts no process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toolkit.swift_compat.command_line import CommandLine, Option, option, parse
from toolkit.swift_compat.renamed_options import CHANGES, LISTS, MODEL_TYPES, Change
from toolkit.swift_compat.surroundings import Adapter, Surroundings

TRAININGS = {"pt", "rlhf", "sft"}
COMMANDS = TRAININGS | {"app", "deploy", "eval", "export", "infer", "merge-lora", "rollout", "sample"}
SELF_COGNITION = "swift/self-cognition"


@dataclass(frozen=True, kw_only=True)
class Translation:
    line: CommandLine
    notes: tuple[str, ...] = ()


def translate(words: Sequence[str], surroundings: Surroundings) -> Translation:
    """The translated command line; unknown options stay unchanged."""
    line = parse(words)
    if not is_translatable(line):
        return Translation(line=line)
    notes: list[str] = []
    for step in STEPS:
        line, added = step(line, surroundings)
        notes += added
    return Translation(line=line, notes=tuple(notes))


def is_translatable(line: CommandLine) -> bool:
    """False for a command with a configuration file, which overrides options, and for help, which is ms-swift's own."""
    return line.command in COMMANDS and not line.has_config and not line.find("help") and "-h" not in line.words()


Step = Callable[[CommandLine, Surroundings], tuple[CommandLine, list[str]]]


def _old_names(line: CommandLine, surroundings: Surroundings) -> tuple[CommandLine, list[str]]:
    notes: list[str] = []
    merged: dict[str, tuple[str, ...]] = {}

    def renamed(found: Option) -> Option | None:
        change = _checkpoint(found, surroundings) if found.name == "ckpt_dir" else _change(found)
        if change is None:
            return found
        before = found.flag if change.value is None else f"{found.flag} {found.value}"
        if change.new is None:
            notes.append(f"{before} is dropped: {change.why}")
            return None
        if change.new != found.name and line.find(change.new):
            if change.new in LISTS:
                merged[change.new] = (*merged.get(change.new, ()), *found.values)
                notes.append(f"{before} is --{change.new} in ms-swift 4 ({change.why})")
            else:
                notes.append(f"{before} is dropped: --{change.new} is given")
            return None
        after = f"--{change.new}" if change.new_value is None else f"--{change.new} {change.new_value}"
        notes.append(f"{before} is {after} in ms-swift 4 ({change.why})")
        values = found.values if change.new_value is None else (change.new_value,)
        return replace(found, flag=f"--{change.new}", values=values)

    line = line.changed(renamed)
    return line.changed(lambda each: replace(each, values=(*merged.pop(each.name, ()), *each.values))), notes


def _change(found: Option) -> Change | None:
    value = found.value.lower()
    return next((each for each in CHANGES if each.old == found.name and each.value in {None, value}), None)


def _checkpoint(found: Option, surroundings: Surroundings) -> Change:
    is_model = surroundings.adapter(found.value) is None and surroundings.model(found.value)
    return Change(old=found.name, new="model" if is_model else "adapters", why="removed in 4.0")


def _elsewhere(line: CommandLine, surroundings: Surroundings) -> tuple[CommandLine, list[str]]:
    """A model and data sets that the article has in its own folder, where the toolkit downloads or ships them."""
    notes: list[str] = []

    def found(each: Option) -> Option:
        if each.name not in {"model", "dataset", "val_dataset"}:
            return each
        values = tuple(_found(value, each.name, surroundings) for value in each.values)
        notes.extend(
            f"{each.flag} {old} is {new}: {old} is not in this folder"
            for old, new in zip(each.values, values, strict=True) if old != new
        )  # fmt: skip
        return replace(each, values=values)

    return line.changed(found), notes


def _found(value: str, kind: str, surroundings: Surroundings) -> str:
    """Where `value` is, if the toolkit has it under that name; as given otherwise. `#500` stays behind a data set."""
    name, mark, rows = value.partition("#") if kind != "model" else (value, "", "")
    if surroundings.exists(name) or (kind == "model" and surroundings.exists(name.replace(":", "/", 1))):
        return value
    place = surroundings.elsewhere(name.rstrip("/").rpartition("/")[2], is_model=kind == "model")
    is_plain = name.startswith("/root/") or "/" not in name  # as articles write it; anything else is meant as it is
    return value if place is None or not is_plain else f"{place}{mark}{rows}"


def _base_of_adapter(line: CommandLine, surroundings: Surroundings) -> tuple[CommandLine, list[str]]:
    """Adds the base model of an adapter whose own name for it, perhaps a relative path, does not exist here."""
    adapter = _adapter(line, surroundings)
    if adapter is None or line.find("model") or (adapter.model and surroundings.exists(adapter.model)):
        return line, []
    name = (adapter.model or "").rstrip("/").rpartition("/")[2]
    found = next((each for each in (*adapter.paths, name) if each and surroundings.model(each)), None)
    if found is None:
        return line, []
    why = (
        f"the adapter names it {adapter.model}, which is not in this folder" if adapter.model else "the adapter's base"
    )
    return line.with_options(option("model", found)), [f"--model {found} is added: {why}"]


def _family(line: CommandLine, surroundings: Surroundings) -> tuple[CommandLine, list[str]]:
    """Sets model type and template."""
    given, model = line.value("model_type"), line.value("model") or ""
    folder = surroundings.model(model)
    known = MODEL_TYPES.get(given or "")
    why = "in ms-swift 4"
    if known is None:
        if folder is None or not folder.template or given not in {None, "qwen", "qwen2"}:
            return line, []
        if given is None and (folder.has_type or ((adapter := _adapter(line, surroundings)) and adapter.has_type)):
            return line, []
        known = ("qwen2", folder.template)
        why = f"here: qwen is Qwen-1, {model} is Qwen2"
    kind, template = known
    added = []
    if given is None:
        added.append(option("model_type", kind))
    if not line.find("template"):
        added.append(option("template", template))
    words = " ".join(word for each in added for word in each.words())
    if given in {None, kind}:
        notes = [f"{words} is added: ms-swift 4 recognizes a local model only by its folder's name"] if added else []
        return line.with_options(*added), notes
    line = line.changed(lambda each: replace(each, values=(kind,)) if each.name == "model_type" else each)
    after = f"--model_type {kind} {words}".strip()
    return line.with_options(*added), [f"--model_type {given} is {after} {why}"]


def _adapter(line: CommandLine, surroundings: Surroundings) -> Adapter | None:
    return next((surroundings.adapter(name) for name in line.values("adapters")), None)


def _surroundings(line: CommandLine, surroundings: Surroundings) -> tuple[CommandLine, list[str]]:
    """Adds what a training needs here: no hub lookup, and the CPU if there is no card."""
    added, notes = [], []
    if line.command in TRAININGS and surroundings.model(line.value("model") or "") and not line.find("check_model"):
        added.append(option("check_model", "false"))
        notes.append("--check_model false is added: else ms-swift looks a local model up on ModelScope")
    if line.command in TRAININGS and not line.find("use_cpu") and not surroundings.has_card:
        added.append(option("use_cpu", "true"))
        notes.append("--use_cpu true is added: there is no card here, and ms-swift would refuse bfloat16")
    return line.with_options(*added), notes


def _names(line: CommandLine, _: Surroundings) -> tuple[CommandLine, list[str]]:
    given = [f"--{name}" for name in ("model_name", "model_author") if line.find(name)]
    data = line.values("dataset")
    if line.command not in TRAININGS or not given or not data or any("/self-cognition" in each for each in data):
        return line, []
    do = "do" if len(given) > 1 else "does"
    note = f"{' and '.join(given)} {do} nothing here: ms-swift fills them into {SELF_COGNITION} only"
    return line, [f"{note}; the names that count are those in the rows of {', '.join(data)}"]


def _merged(line: CommandLine, surroundings: Surroundings) -> tuple[CommandLine, list[str]]:
    """Notes that ms-swift silently uses a merged folder that exists; `swift export` refuses it itself."""
    merged = next((f"{name.rstrip('/')}-merged" for name in line.values("adapters")), None)
    if (
        line.command in {"export", "merge-lora"}
        or not line.is_on("merge_lora")
        or not merged
        or not surroundings.exists(merged)
    ):
        return line, []
    return line, [f"--merge_lora uses the existing {merged} and merges nothing: remove it if the adapter is newer"]


STEPS: tuple[Step, ...] = (_old_names, _elsewhere, _base_of_adapter, _family, _surroundings, _names, _merged)
