"""The address of a warm process, and what is said over its socket."""

import os
import socket
import threading
from pathlib import Path

import pytest

from toolkit.serve.warm.messages import MOST_BYTES, connected, is_private, receive, runtime_folder, send, socket_path


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "warm-0.sock"),
        ({"CUDA_VISIBLE_DEVICES": "3,1"}, "warm-3.sock"),
        ({"CUDA_VISIBLE_DEVICES": ""}, "warm-none.sock"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8af1/../x"}, "warm-GPU-8af1____x.sock"),
    ],
)
def test_each_card_has_its_own_socket(environment: dict[str, str], name: str):
    assert socket_path(environment).name == name


def test_each_user_has_a_folder():
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/finetune-and-prove")
    assert runtime_folder({"TMPDIR": "/t"}) == Path(f"/t/finetune-and-prove-{os.getuid()}")


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_folder_that_others_may_use_is_not_private(tmp_path: Path, mode: int):
    tmp_path.chmod(mode)

    assert not is_private(tmp_path)


def test_a_link_to_a_private_folder_is_not_private(tmp_path: Path):
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("own")

    assert is_private(tmp_path / "own")
    assert not is_private(tmp_path / "link")
    assert not is_private(tmp_path / "missing")


def test_a_file_that_is_no_socket_is_no_connection(tmp_path: Path):
    tmp_path.chmod(0o700)
    (tmp_path / "warm-0.sock").write_text("")

    assert connected(tmp_path / "warm-0.sock") is None


def test_a_message_of_any_length_arrives_with_its_descriptors():
    here, there = socket.socketpair()
    message = {"environment": {"A": "ü\udcff" * 300_000}}
    with here, there, Path(os.devnull).open() as file:
        sender = threading.Thread(target=send, args=(here, message, [file.fileno()]))
        sender.start()
        found, [number] = receive(there)
        sender.join()
        os.fstat(number)
        os.close(number)

    assert found == message


def test_a_connection_that_ends_is_an_end_and_a_length_beyond_all_bounds_is_refused():
    here, there = socket.socketpair()
    with there:
        here.send((MOST_BYTES + 1).to_bytes(4, "big"))
        with pytest.raises(ValueError, match=str(MOST_BYTES + 1)):
            receive(there)
        here.close()
        with pytest.raises(EOFError):
            receive(there)
