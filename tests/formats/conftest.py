"""Programs that read exported files: llama.cpp, Go and bitsandbytes.

Nothing here is skipped: a missing program is installed, or the tests fail.
llama.cpp is built from source once, in about three minutes on two cores.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import pytest

from toolkit.export.llama_converter import is_installed

REPOSITORY = Path(__file__).parents[2]


def run_command(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def require_command(name: str, package: str) -> None:
    if shutil.which(name) is None:
        assert os.geteuid() == 0, f"As root: apt-get install {package}."
        run_command("apt-get", "update", "--quiet")
        run_command("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", package)


@pytest.fixture(scope="session", autouse=True)
def _formats() -> None:
    if not is_installed() or importlib.util.find_spec("llama_cpp") is None:
        require_command("c++", "g++")
        run_command("make", "setup-formats")
        importlib.invalidate_caches()


@pytest.fixture(scope="session", name="render_as_ollama")
def _render_as_ollama(tmp_path_factory):
    """Reads a Modelfile's TEMPLATE with Go's own text/template, as Ollama does, and renders messages and tools."""
    require_command("go", "golang-go")
    program = tmp_path_factory.mktemp("go") / "render"
    run_command("go", "build", "-o", str(program), str(Path(__file__).parent / "render.go"), GO111MODULE="off")

    def render(template: str, messages: list[dict[str, Any]], tools: Sequence[Any] = ()) -> str:
        import json

        given = json.dumps({"template": template, "messages": messages, "tools": list(tools)})
        done = subprocess.run([program], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return render
