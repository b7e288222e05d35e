"""Abilities and thinking as every renderer shows them: sentences, a row a group, notes, answers that flipped. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.compare.ability.ledger import significant_losses
from toolkit.compare.texts import Texts, catalogue
from toolkit.runs.ability_record import RecordedAbility, RecordedAbilityChange, RecordedAbilityGroup
from toolkit.runs.answer_record import RecordedThinking

COLUMNS = ("group", "before", "after", "lost", "won", "loss", "interval", "p")


@dataclass(frozen=True, kw_only=True)
class AbilityRow:
    """One group; `cells` in the order of COLUMNS. `significant`: it lost significantly among so many groups."""

    cells: Sequence[str]
    significant: bool


@dataclass(frozen=True, kw_only=True)
class ChangeList:
    """The items that flipped in one direction, or whose answer became (in)coherent; each with its group's name."""

    name: str
    title: str
    shown: Sequence[tuple[RecordedAbilityChange, str]]


def ability_sentence(ability: RecordedAbility, texts: Texts) -> str:
    """What was lost and won in total and what follows, or why nothing was measured."""
    if ability.total is None:
        return texts(f"ability.not_run.{ability.not_run}") if ability.not_run else ""
    one, limit = ability.total, f"{ability.limit_points:g}"
    found = texts(
        "ability.total", lost=one.lost, won=one.won, n=one.n, p=f"{one.p:.2g}", loss=f"{one.loss_points:.1f}",
        low=f"{one.loss_low:.1f}", high=f"{one.loss_high:.1f}",
    )  # fmt: skip
    return f"{found} {texts(f'ability.outcome.{ability.outcome}', limit=limit)}".replace("。 ", "。")


def thinking_sentence(thinking: RecordedThinking, texts: Texts) -> str:
    """How many answers had a thought before and after, and what follows."""
    counts = {name: getattr(thinking, name) for name in ("before", "after", "n", "lost", "won")}
    points = {name: f"{getattr(thinking, name):.1f}" for name in ("points", "low", "high")}
    found = texts(f"thinking.{thinking.wanted}", **counts, **points)
    outcome = texts(f"thinking.outcome.{thinking.wanted}.{thinking.outcome}", limit=f"{thinking.limit_points:g}")
    return f"{found} {outcome}".replace("。 ", "。")


def ability_rows(ability: RecordedAbility, texts: Texts) -> list[AbilityRow]:
    """The groups, then the total."""
    lost = significant_losses(ability.groups)
    entries = [*ability.groups, *([ability.total] if ability.total else [])]
    return [AbilityRow(cells=_cells(one, texts), significant=one.name in lost) for one in entries]


def _cells(one: RecordedAbilityGroup, texts: Texts) -> list[str]:
    shares = [f"{count / one.n * 100:.1f} % ({count}/{one.n})" for count in (one.before, one.after)]
    loss = f"{one.loss_points:.1f}"
    return [
        group_name(one.name, texts), *shares, str(one.lost), str(one.won), loss,
        f"{one.loss_low:.1f} – {one.loss_high:.1f}", f"{one.p:.2g}",
    ]  # fmt: skip


def ability_notes(ability: RecordedAbility, texts: Texts) -> list[str]:
    """Incoherent answers, and the groups that were not asked."""
    found = []
    if (one := ability.coherent) is not None:
        found.append(texts(
            "ability.incoherent", before=one.n - one.before, after=one.n - one.after, n=one.n, lost=one.lost,
            won=one.won, p=f"{one.p:.2g}",
        ))  # fmt: skip
    for group, why in ability.left_out.items():
        found.append(texts(f"ability.left_out.{why}", group=group_name(group, texts)))
    return found


def ability_changes(ability: RecordedAbility, texts: Texts) -> list[ChangeList]:
    """The lost items, the won ones, and answers that became incoherent or ceased to be, those that flipped too."""
    kinds: Mapping[str, list[RecordedAbilityChange]] = {"lost": [], "won": [], "coherence": []}
    for one in ability.changes:
        if one.passed != one.passed_before:
            kinds["won" if one.passed else "lost"].append(one)
        if one.coherent != one.coherent_before:
            kinds["coherence"].append(one)
    return [
        ChangeList(
            name=name, title=texts(f"ability.changes.{name}", count=len(found)),
            shown=[(one, group_name(one.group, texts)) for one in found],
        )
        for name, found in kinds.items() if found
    ]  # fmt: skip


def group_name(name: str, texts: Texts) -> str:
    """A shipped group in words; a public benchmark by its own name."""
    key = f"ability.group.{name}"
    return texts(key) if key in catalogue() else name
