"""Names of the field, English of the field: no banned word in a name, a docstring, a comment or a message."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTS = ("toolkit", "image")

# Parts of a name (`_told`, `ToldOnce`). `held_out` is a term of the field: a held-out set.
IN_NAMES = re.compile(r"told|held(?!_?out)|strangers?|anew|mend(s|ed|ing)?|lent", re.IGNORECASE)
# Whole names: participles and pronouns say nothing of what they name.
AS_NAMES = {"asked", "carried", "gone", "recorded", "said", "some", "spoken", "these", "those"}
IN_PROSE = {
    "told": r"\btold\b",
    "held (say stored, kept, locked)": r"\bheld\b(?![- ]out)",
    "stranger (say third-party, unknown)": r"\bstrangers?\b",
    "anew (say again)": r"\banew\b",
    "mend (say fix)": r"\bmend(s|ed|ing)?\b",
    "is no X (say is not a X)": r"(?<!\bthere )\b(is|are|was|were) no\b(?! (longer|more|less|fewer|better|worse)\b)",
    "alone (say only)": r"(?<!\bas if )(?<!\bstand )(?<!\bstands )\balone\b",
    "in full (say completely)": r"\bin full\b",
    "where there is none (say without)": r"\bwhere there (is|are) none\b",
    "forth, lent, wants, shall, whereof": r"\b(forth|lent|wants|shall|whereof|wherein|whither|hitherto)\b",
}
LEAVING_ALONE = re.compile(r"\b(leave|leaves|leaving|left|let|lets)\b[^.]{0,30}\balone\b", re.IGNORECASE)
OPTIONS = re.compile(r"--[a-z][a-z-]*")  # names of options stay, such as --stop-when-took

Offence = tuple[int, str]


def modules() -> list[Path]:
    return [path for product in PRODUCTS for path in sorted((ROOT / product).rglob("*.py"))]


def names(tree: ast.AST) -> Iterator[Offence]:
    """Every name that a module gives: of functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def prose(source: str, tree: ast.AST) -> Iterator[Offence]:
    """Every comment, docstring and other string, with the line that it begins on."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def parts(name: str) -> list[str]:
    """`_told_once` and `ToldOnce` as words; `held_out` stays one."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("held_out", "held-out")
    return [part for part in spaced.split("_") if part]


def bad_names(tree: ast.AST) -> list[Offence]:
    return [
        (line, name)
        for line, name in names(tree)
        if name.strip("_").lower() in AS_NAMES or any(IN_NAMES.fullmatch(part) for part in parts(name))
    ]


def bad_prose(texts: Iterable[Offence]) -> list[Offence]:
    found = []
    for line, text in texts:
        for number, words in enumerate(OPTIONS.sub("", text).splitlines()):
            cleaned = LEAVING_ALONE.sub("", words)
            found += [
                (line + number, f"{rule}: {words.strip()}")
                for rule, pattern in IN_PROSE.items()
                if re.search(pattern, cleaned, re.IGNORECASE)
            ]
    return found


def report(what: str, found: Iterable[str]) -> str:
    return "\n  ".join([what, *found])


def offences(find: str) -> list[str]:
    found = []
    for path in modules():
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        bad = bad_names(tree) if find == "names" else bad_prose(prose(source, tree))
        found += [f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in sorted(set(bad))]
    return found


def resources() -> list[Path]:
    """Texts that people read, beside the code that fills them in."""
    found = [path for product in PRODUCTS for path in (ROOT / product).rglob("*")]
    return sorted(path for path in found if path.suffix in {".yaml", ".jinja", ".html"})


def test_names_are_terms_of_the_field():
    found = offences("names")

    assert not found, report(f"{len(found)} names to replace:", found)


def test_prose_is_plain_english():
    found = offences("prose")

    assert not found, report(f"{len(found)} phrases to replace:", found)


def test_resources_are_plain_english():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in resources()
        for line, what in bad_prose(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    ]

    assert not found, report(f"{len(found)} phrases to replace:", found)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def _told(x): ...", 1),
        ("class ToldOnce: ...", 1),
        ("def f(strangers): ...", 1),
        ("self.held = 1", 1),
        ("said = 1", 1),
        ("HELD_OUT_FILE = held_out_rows = 1", 0),
        ("amended = talent = shield = 1", 0),
        ("def recording(folder): ...", 0),
        ("x = obj.told", 0),  # read only: another's name
    ],
)
def test_a_banned_name_is_found(source: str, count: int):
    assert len(bad_names(ast.parse(source))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("What the user is told.", 1),
        ("A stranger's file, held in memory.", 2),
        ("That is no number.", 1),
        ("There is no run.", 0),
        ("there are no rows", 0),
        ("It is no longer there.", 0),
        ("A held-out set; rows held out.", 0),
        ("Loads weights alone.", 1),
        ("Leaves code alone.", 0),
        ("Each run plans as if alone.", 0),
        ("See --told for it.", 0),
        ("Recommends a bend; amends it.", 0),
        ("Done anew, and mended.", 2),
    ],
)
def test_a_banned_phrase_is_found(text: str, count: int):
    for source in (f"# {text}", f'"""{text}"""', f"x = {text!r}", f"x = f{text!r}"):
        assert len(bad_prose(prose(source + "\n", ast.parse(source)))) == count
