"""Text from others, made safe to print."""

import unicodedata

SPACES = frozenset({"Zs"})  # such as the ideographic space; not printable for Python, but harmless


def printable(text: object, limit: int | None = None) -> str:
    r"""`text` on one line, with each control, format and unassigned character as its escape, such as \x1b or \u202e.

    So an annotation can neither start a line of its own nor move the cursor. Cuts it to `limit` characters.
    """
    line = "".join(map(_printable_character, str(text)))
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def _printable_character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) in SPACES:
        return character
    return character.encode("unicode_escape").decode("ascii")
