"""Names that a mistyped one most likely means. Pure, but for the names of files."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

MOST_SUGGESTIONS = 3
MOST_FILES = 1000  # of a folder that are looked at


def nearest(word: str, names: Sequence[str]) -> list[str]:
    """Names whose initials are `word` (lr: learning-rate), then those that it begins; else those spelled alike."""
    bare = _bare(word)
    by_bare = {_bare(name): name for name in names}
    initials = [name for name in by_bare if len(bare) > 1 and bare == "".join(part[:1] for part in name.split("-"))]
    begun = [name for name in by_bare if bare and name.startswith(bare)]
    found = dict.fromkeys((*initials, *begun)) or get_close_matches(bare, by_bare)
    return [by_bare[name] for name in found][:MOST_SUGGESTIONS]


def did_you_mean(word: str, names: Sequence[str]) -> str:
    """` Did you mean 'finetune'?`, or nothing."""
    found = [repr(name) for name in nearest(word, names)]
    return f" Did you mean {' or '.join(found)}?" if found else ""


def near_files(path: Path, suffixes: Iterable[str], *, beside: Sequence[Path] = ()) -> str:
    """` Did you mean 'data/mine.json'?` from the files beside `path`, and from those in the folders `beside`."""
    allowed = set(suffixes)
    found: dict[str, str] = {}
    for folder in (path.parent, *beside):
        try:
            files = [file for _, file in zip(range(MOST_FILES), folder.iterdir(), strict=False) if file.is_file()]
        except OSError:
            continue
        for file in sorted(files):
            if file.suffix.lower() in allowed:
                found.setdefault(file.name, file.name if folder in beside else str(file))
    return did_you_mean_file(path.name, found)


def did_you_mean_file(name: str, shown: dict[str, str]) -> str:
    """As did_you_mean; `shown`: each known name with the path to show for it."""
    alike = nearest(name, list(shown))
    return f" Did you mean {' or '.join(repr(shown[one]) for one in alike)}?" if alike else ""


def _bare(word: str) -> str:
    return word.lstrip("-").replace("_", "-").lower()
