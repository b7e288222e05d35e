"""Turns a command line of ms-swift 2 or 3 into one of 4, with a note for each change. Pure: starts no process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toolkit.swift_compat.command_line import CommandLine, Option, option, parse
from toolkit.swift_compat.renamed_options import CHANGES, LISTS, MODEL_TYPES, Change
from toolkit.swift_compat.surroundings import Adapter, Place

TRAININGS = {"pt", "rlhf", "sft"}
COMMANDS = TRAININGS | {"app", "deploy", "eval", "export", "infer", "merge-lora", "rollout", "sample"}
SELF_COGNITION = "swift/self-cognition"


@dataclass(frozen=True, kw_only=True)
class Translation:
    line: CommandLine
    notes: tuple[str, ...] = ()


def translate(words: Sequence[str], place: Place) -> Translation:
    """What it does not know stays as it stands."""
    line = parse(words)
    if not is_translatable(line):
        return Translation(line=line)
    notes: list[str] = []
    for step in STEPS:
        line, said = step(line, place)
        notes += said
    return Translation(line=line, notes=tuple(notes))


def is_translatable(line: CommandLine) -> bool:
    """A configuration file has the say over all of its command, and help is ms-swift's own."""
    return line.command in COMMANDS and not line.has_config and not line.find("help") and "-h" not in line.words()


Step = Callable[[CommandLine, Place], tuple[CommandLine, list[str]]]


def _old_names(line: CommandLine, place: Place) -> tuple[CommandLine, list[str]]:
    notes: list[str] = []
    merged: dict[str, tuple[str, ...]] = {}

    def renamed(found: Option) -> Option | None:
        change = _checkpoint(found, place) if found.name == "ckpt_dir" else _change(found)
        if change is None:
            return found
        before = found.flag if change.value is None else f"{found.flag} {found.value}"
        if change.new is None:
            notes.append(f"{before} is left out: {change.why}")
            return None
        if change.new != found.name and line.find(change.new):
            if change.new in LISTS:
                merged[change.new] = (*merged.get(change.new, ()), *found.values)
                notes.append(f"{before} is --{change.new} in ms-swift 4 ({change.why})")
            else:
                notes.append(f"{before} is left out: --{change.new} is given")
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


def _checkpoint(found: Option, place: Place) -> Change:
    return Change(
        old=found.name, new="model" if place.adapter(found.value) is None and place.model(found.value) else "adapters",
        why="gone in 4.0",
    )  # fmt: skip


def _base_of_adapter(line: CommandLine, place: Place) -> tuple[CommandLine, list[str]]:
    """An adapter names its base as the training did, which may be relative to a folder that is not this one."""
    adapter = _adapter(line, place)
    if adapter is None or line.find("model") or (adapter.model and place.exists(adapter.model)):
        return line, []
    name = (adapter.model or "").rstrip("/").rpartition("/")[2]
    found = next((each for each in (*adapter.places, name) if each and place.model(each)), None)
    if found is None:
        return line, []
    why = (
        f"the adapter names it {adapter.model}, which is not in this folder" if adapter.model else "the adapter's base"
    )
    return line.with_options(option("model", found)), [f"--model {found} is added: {why}"]


def _family(line: CommandLine, place: Place) -> tuple[CommandLine, list[str]]:
    """Model type and template."""
    asked, model = line.value("model_type"), line.value("model") or ""
    folder = place.model(model)
    wanted = MODEL_TYPES.get(asked or "")
    why = "in ms-swift 4"
    if wanted is None:
        if folder is None or not folder.template or asked not in {None, "qwen", "qwen2"}:
            return line, []
        if asked is None and (folder.recorded or ((adapter := _adapter(line, place)) and adapter.recorded)):
            return line, []
        wanted = ("qwen2", folder.template)
        why = f"here: qwen is Qwen-1, {model} is Qwen2"
    kind, template = wanted
    added = []
    if asked is None:
        added.append(option("model_type", kind))
    if not line.find("template"):
        added.append(option("template", template))
    words = " ".join(word for each in added for word in each.words())
    if asked in {None, kind}:
        notes = [f"{words} is added: ms-swift 4 knows a local model by its folder's name alone"] if added else []
        return line.with_options(*added), notes
    line = line.changed(lambda each: replace(each, values=(kind,)) if each.name == "model_type" else each)
    after = f"--model_type {kind} {words}".strip()
    return line.with_options(*added), [f"--model_type {asked} is {after} {why}"]


def _adapter(line: CommandLine, place: Place) -> Adapter | None:
    return next((place.adapter(name) for name in line.values("adapters")), None)


def _surroundings(line: CommandLine, place: Place) -> tuple[CommandLine, list[str]]:
    """What a training needs here: no hub, perhaps no card."""
    added, notes = [], []
    if line.command in TRAININGS and place.model(line.value("model") or "") and not line.find("check_model"):
        added.append(option("check_model", "false"))
        notes.append("--check_model false is added: a local model is not looked up on ModelScope")
    if line.command in TRAININGS and not line.find("use_cpu") and not place.has_card:
        added.append(option("use_cpu", "true"))
        notes.append("--use_cpu true is added: there is no card here, and without it bfloat16 is refused")
    return line.with_options(*added), notes


def _names(line: CommandLine, _: Place) -> tuple[CommandLine, list[str]]:
    given = [f"--{name}" for name in ("model_name", "model_author") if line.find(name)]
    data = line.values("dataset")
    if line.command not in TRAININGS or not given or not data or any("/self-cognition" in each for each in data):
        return line, []
    do = "do" if len(given) > 1 else "does"
    note = f"{' and '.join(given)} {do} nothing here: ms-swift fills them into {SELF_COGNITION} only"
    return line, [f"{note}; the names that count are those in the rows of {', '.join(data)}"]


def _merged(line: CommandLine, place: Place) -> tuple[CommandLine, list[str]]:
    """`swift export` stops at a folder that is there; these go on with it in silence."""
    merged = next((f"{name.rstrip('/')}-merged" for name in line.values("adapters")), None)
    if (
        line.command in {"export", "merge-lora"}
        or not line.is_on("merge_lora")
        or not merged
        or not place.exists(merged)
    ):
        return line, []
    return line, [f"--merge_lora uses {merged} as it is there, and merges nothing: remove it if the adapter is newer"]


STEPS: tuple[Step, ...] = (_old_names, _base_of_adapter, _family, _surroundings, _names, _merged)
