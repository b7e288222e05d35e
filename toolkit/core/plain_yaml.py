"""YAML with each key once, and without what makes a small file large: aliases, deep nesting, slow scalars."""

from pathlib import Path
from typing import Any

import yaml

from toolkit.core.documents import MAX_DEPTH, require_plain

LONGEST_PLAIN_SCALAR = 100  # characters of a number or a date
LONGEST = 4_000_000  # characters; a parser in Python takes several seconds for them
TEXT = "tag:yaml.org,2002:str"


def read_own(file: Path) -> Any:
    """The value of a file that is shipped with the toolkit and so needs no guard: by libyaml where PyYAML has it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(file.read_text(encoding="utf-8"), loader)  # noqa: S506  # both are safe


def parse_yaml(text: str) -> tuple[Any, yaml.Node | None]:
    """The value and its root node, which knows the lines; None if there is neither. Raises ValueError with the line."""
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST / 1e6:.0f} million characters")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return (None, None) if node is None else (loader.construct_document(node), node)
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise ValueError(f"line {number}: the character U+{error.character:04X} is not allowed in YAML") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f"line {mark.line + 1}: "
        raise ValueError(f"{line}{' '.join(str(error.problem).split())}") from None
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from None


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _fault("aliases (*name) are not accepted: write the value again", event.start_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _fault(f"nested more than {MAX_DEPTH} deep", event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        keys: dict[tuple[str, str], Any] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                before = keys.setdefault((key.tag, key.value), key)
                if before is not key:  # else the last one would hold, silently
                    problem = f"the key {key.value!r} is there twice, first in line {before.start_mark.line + 1}"
                    raise _fault(f"{problem}: keep one", key.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        scalar = isinstance(node, yaml.ScalarNode)
        if scalar and node.tag != TEXT and len(node.value) > LONGEST_PLAIN_SCALAR:
            raise _fault("a number or date of more than 100 characters", node.start_mark)
        try:
            value = super().construct_object(node, deep)
            if scalar:
                require_plain(value)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            raise _fault(f"not a value: {error}", node.start_mark) from None
        return value


def _fault(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)
