"""One of several processes: errors that reach another one."""

import pickle

import pytest

from toolkit.core.errors import ConfigError, ToolkitError
from toolkit.model.cards.worker import portable


class UnsendableError(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def received(error: Exception) -> BaseException:
    with pytest.raises(type(error)) as caught:
        _raise(error)
    return pickle.loads(pickle.dumps(portable(caught.value)))


def _raise(error: Exception) -> None:
    raise error


def test_an_error_arrives_with_its_class_its_advice_and_its_traceback():
    found = received(ConfigError("It is wrong.", next="Correct it."))

    assert type(found) is ConfigError
    assert (str(found), found.what, found.next) == ("It is wrong. Correct it.", "It is wrong.", "Correct it.")
    assert "raise error" in str(found.__cause__)


def test_an_error_that_cannot_be_sent_arrives_as_its_text():
    found = received(UnsendableError("out", "of order"))

    assert not isinstance(found, ToolkitError)
    with pytest.raises(RuntimeError, match="UnsendableError: out of order"):
        raise found
