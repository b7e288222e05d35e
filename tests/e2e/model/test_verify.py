"""`toolkit verify`, as a user runs it on what `toolkit download` has fetched."""

import shutil
import subprocess
import sys

from tests.fakes.hub_user import FILES, WEIGHTS, User


def test_verify_says_ok_with_the_count_and_the_bytes(user: User) -> None:
    user.downloads()
    done = user.runs("verify", user.target)

    assert done.returncode == 0
    assert done.stdout == f"OK 3 files, {sum(map(len, FILES.values()))} bytes\n"


def test_verify_names_every_bad_file_on_a_line_of_its_own(user: User) -> None:
    user.downloads()
    shutil.move(user.target, user.home / "copy")
    copy = user.home / "copy"
    (copy / WEIGHTS).write_bytes(FILES[WEIGHTS][:100])
    (copy / "tokenizer.json").write_bytes(bytes(200_000))
    (copy / "custom_code.py").write_text("")
    done = user.runs("verify", copy)

    assert done.returncode == 4
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [WEIGHTS, "custom_code.py", "tokenizer.json"]


def test_verify_opens_no_socket_and_loads_no_hub(user: User) -> None:
    user.downloads()
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('a socket')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from toolkit.__main__ import main\n"
        "try: main(['verify', sys.argv[1]])\n"
        "finally: assert not {'huggingface_hub', 'modelscope_hub', 'httpx', 'requests'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, user.target], env=user.environment, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OK 3 files")


def test_verify_of_no_folder_is_a_configuration_error(user: User) -> None:
    done = user.runs("verify", "nowhere")

    assert done.returncode == 3
    assert "nowhere" in done.stderr
