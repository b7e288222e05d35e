"""The user's language, as the toolkit finds it."""

import os
from collections.abc import Sequence

VARIABLE = "TOOLKIT_LANG"
CHINESE, ENGLISH = "zh", "en"


def language() -> str:
    """`zh` if TOOLKIT_LANG or else the locale begins so (POSIX: LC_ALL, LC_MESSAGES, LANG); `en` otherwise."""
    names = (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")
    first = next((value for name in names if (value := os.environ.get(name))), "")
    return CHINESE if first.lower().startswith(CHINESE) else ENGLISH


def speak_as_named(arguments: Sequence[str]) -> None:
    """In the language of the last `--lang`: that another option is wrong is said before Click has read it."""
    for at, word in enumerate(arguments):
        name, _, value = word.partition("=")
        chosen = value or next(iter(arguments[at + 1 :]), "")
        if name == "--lang" and chosen in {CHINESE, ENGLISH}:
            speak(chosen)


def speak(language: str) -> None:
    """From here on this process, and those that it starts, use the language."""
    os.environ[VARIABLE] = language
