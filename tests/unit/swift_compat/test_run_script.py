"""How a script of ms-swift ends."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import atexit, sys, threading, time
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
atexit.register(print, "atexit")
print(*sys.argv[1:])
"""


def run_script(path: Path, script: str) -> subprocess.CompletedProcess[str]:
    path.write_text(script)
    command = [sys.executable, "-m", "toolkit.swift_compat.run_script", path, "--seed", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_script_ends_with_all_its_work_done_and_no_wait_for_daemons(tmp_path):
    done = run_script(tmp_path / "infer.py", SCRIPT)

    assert (done.returncode, done.stdout, done.stderr) == (0, "--seed 1\nthread\natexit\n", "")


def test_a_scripts_own_exit_code_is_kept(tmp_path):
    assert run_script(tmp_path / "infer.py", "import sys; sys.exit(3)").returncode == 3
    assert run_script(tmp_path / "infer.py", "raise ValueError").returncode == 1
