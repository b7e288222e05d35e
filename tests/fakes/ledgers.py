"""Ability ledgers made by hand: which items of one group the base model solves, and which a run solves."""

from toolkit.compare.ability.asking import Outcome
from toolkit.compare.ability.items import ARITHMETIC, Written
from toolkit.compare.ability.ledger import changes, group_entries, incoherent_entry, outcome_of, total_entry
from toolkit.runs.ability_record import RecordedAbility


def ledger(base: str, tuned: str) -> RecordedAbility:
    """A letter an item, numbered from 0: x where it is solved."""
    items = [
        Written(id=str(at), group=ARITHMETIC, language="en", prompt=f"{at}?", check=bool, max_new_tokens=4)
        for at in range(len(base))
    ]
    before, after = (
        [Outcome(passed=letter == "x", text=text, incoherent=False) for letter in letters]
        for letters, text in ((base, "base"), (tuned, "tuned"))
    )
    total = total_entry(items, before, after)
    assert total is not None
    return RecordedAbility(
        not_run=None, system="", limit_points=3.0, outcome=outcome_of(total, 3.0), total=total,
        groups=group_entries(items, before, after), coherent=incoherent_entry(before, after), left_out={},
        changes=changes(items, before, after), seconds=1.0,
    )  # fmt: skip
