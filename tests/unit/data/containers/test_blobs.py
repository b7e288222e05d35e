"""Byte strings that may be in a file: the same ones come back, wherever they are."""

import pickle

import pytest

from toolkit.data.containers.blobs import Blobs

CONTENTS = [b"a", b"", b"\0" * 5000, "你好".encode(), *(b"%d" % number for number in range(300))]


def filled(most_bytes: int) -> Blobs:
    blobs = Blobs(most_bytes)
    for one in CONTENTS:
        blobs.append(one)
    return blobs


def contents(blobs: Blobs) -> list[bytes]:
    return [blobs[at] for at in range(len(blobs))]


@pytest.mark.parametrize("most_bytes", [0, 1, 5001, 1 << 20])
def test_what_was_appended_comes_back_from_memory_and_from_a_file(most_bytes):
    blobs = filled(most_bytes)

    assert contents(blobs) == CONTENTS
    assert (blobs.file is None) == (most_bytes == 1 << 20)


@pytest.mark.parametrize("most_bytes", [1, 1 << 20])
def test_more_can_be_appended_after_some_were_read(most_bytes):
    blobs = filled(most_bytes)
    assert blobs[3] == CONTENTS[3]

    blobs.append(b"later")

    assert contents(blobs) == [*CONTENTS, b"later"]


@pytest.mark.parametrize("most_bytes", [1, 1 << 20])
def test_some_are_chosen_and_copies_have_the_contents(most_bytes):
    some = filled(most_bytes).chosen([7, 2, 3])

    assert contents(some) == contents(pickle.loads(pickle.dumps(some))) == [CONTENTS[7], CONTENTS[2], CONTENTS[3]]
