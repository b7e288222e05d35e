"""What errors say, as their modules write it: every text with {} for each value, from the syntax tree."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[2]
VARIES = "{}"
SUM = re.compile(r"(?:\{\}){2,}")  # of values, such as port + 1
INLINE = ast.Constant | ast.IfExp | ast.BoolOp | ast.Name | ast.JoinedStr | ast.BinOp
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Text:
    """One text of an error: `place` is file and line, `skeleton` its words, None if they are made elsewhere."""

    place: str
    skeleton: str | None


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def error_classes(paths: Iterable[Path], roots: Iterable[str]) -> set[str]:
    """`roots`, and what derives from them."""
    bases = {
        node.name: {one.id for one in node.bases if isinstance(one, ast.Name)}
        for path in paths for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)
    }  # fmt: skip
    found = set(roots)
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def texts_of(path: Path, classes: set[str], arguments: tuple[str, ...]) -> Iterator[Text]:
    """Of every call in the module that makes one of these: its first arguments, or those of these names."""
    for node, scope in _calls(tree_of(path), None):
        if _name(node.func) not in classes and not _takes_a_class(scope, _name(node.func), classes):
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        given = [*zip(arguments, node.args, strict=False), *((one.arg, one.value) for one in node.keywords)]
        for name, value in given:
            if name in arguments:
                yield from (Text(place=place, skeleton=one) for one in Reader(path, scope).texts(value))


def _calls(node: ast.AST, scope: Function | None) -> Iterator[tuple[ast.Call, Function | None]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child, scope
        yield from _calls(child, child if isinstance(child, Function) else scope)


def _takes_a_class(scope: Function | None, name: str, classes: set[str]) -> bool:
    """Whether the function is given one of the classes under this name: `error: type[ToolkitError]`."""
    given = [] if scope is None else [*scope.args.args, *scope.args.kwonlyargs]
    return any(one.arg == name and ast.unparse(one.annotation or one) in {f"type[{kind}]" for kind in classes}
               for one in given)  # fmt: skip


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


@dataclass(frozen=True)
class Reader:
    """Reads the texts of an expression in its function of its module."""

    path: Path
    scope: Function | None
    within: frozenset[str] = frozenset()  # names that are being read: text = text or "…"

    def texts(self, value: ast.expr) -> list[str | None]:
        """Every text that it can be. None: one that comes from elsewhere."""
        found: list[str | None] = [None]
        match value:
            case ast.Constant(value=str(text)):
                found = [text]
            case ast.Constant(value=None):
                found = [""]
            case ast.JoinedStr(values=parts):
                found = ["".join(one) for one in product(*map(self._parts, parts))]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                found = ["".join(one) for one in product(self._parts(left), self._parts(right))]
            case ast.IfExp(body=first, orelse=second) | ast.BoolOp(values=[first, second]):
                found = [*self.texts(first), *self.texts(second)]
            case ast.Name(id=name):
                found = self._named(name)
            case ast.Call(func=ast.Name(id=name)):
                found = self._returned(name)
        return found

    def _parts(self, value: ast.expr) -> list[str]:
        """Those of one of its parts: a value varies, unless all that it can be is written in the module."""
        inner = value.value if isinstance(value, ast.FormattedValue) else value
        texts = self.texts(inner) if isinstance(inner, INLINE) else [None]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts) or (isinstance(inner, ast.Name) and any(VARIES in text for text in known)):
            return [VARIES]
        return list(dict.fromkeys(re.sub(SUM, VARIES, text) for text in known))

    def _named(self, name: str) -> list[str | None]:
        own = [] if self.scope is None else list(_assigned(self.scope, name))
        if name in self.within:
            return [None]
        if own:
            inner = Reader(self.path, self.scope, self.within | {name})
            return [text for value in own for text in inner.texts(value)]
        if self.scope is not None and name in {one.arg for one in ast.walk(self.scope) if isinstance(one, ast.arg)}:
            return [None]
        return self._of_module(name)

    def _of_module(self, name: str) -> list[str | None]:
        tree = tree_of(self.path)
        for value in _assigned(tree, name, deep=False):
            return Reader(self.path, None).texts(value)
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and name in {one.name for one in node.names}:
                source = ROOT.joinpath(*(node.module or "").split("."))
                for path in (source.with_suffix(".py"), source / "__init__.py"):
                    if path.is_file():
                        return Reader(path, None)._of_module(name)
        return [None]

    def _returned(self, name: str) -> list[str | None]:
        for node in tree_of(self.path).body:
            if isinstance(node, Function) and node.name == name and name not in self.within:
                inner = Reader(self.path, node, self.within | {name})
                values = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
                return [text for value in values for text in inner.texts(value)]
        return [None]


def _assigned(where: ast.AST, name: str, *, deep: bool = True) -> Iterator[ast.expr]:
    for node in ast.walk(where) if deep else ast.iter_child_nodes(where):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value
                elif isinstance(target, ast.Tuple) and name in {getattr(one, "id", "") for one in target.elts}:
                    at = [getattr(one, "id", "") for one in target.elts].index(name)
                    yield node.value.elts[at] if isinstance(node.value, ast.Tuple) else ast.Constant(value=0)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and getattr(node.target, "id", "") == name and node.value:
            yield node.value
