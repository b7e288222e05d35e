"""The host's side in the words of a user: make targets, the image command, docker itself."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Under `make test-image` a make would take itself for an inner one, and name its folder on stdout.
NOT_A_USERS = {"NO_COLOR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, kw_only=True)
class Host:
    environment: dict[str, str]
    folder: Path  # of this session's results
    project: Path

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def make(self, target: str, **variables: str) -> Done:
        return self._run(["make", target, *(f"{name}={value}" for name, value in variables.items())])

    def image(self, *arguments: str, stdin: str | None = None, **environment: str) -> Done:
        return self._run(self.command(*arguments), stdin=stdin, **environment)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`python -m image …` as a process to be interrupted or killed; it leads a group of its own."""
        return subprocess.Popen(
            self.command(*arguments), cwd=self.project, env=self._surroundings({}), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def start_make(self, target: str, **variables: str) -> "subprocess.Popen[str]":
        """`make TARGET` as at a terminal: it leads a group, which is what Ctrl-C there interrupts."""
        return subprocess.Popen(
            ["make", target, *(f"{name}={value}" for name, value in variables.items())], cwd=self.project,
            env=self._surroundings({}), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *command: str, options: tuple[str, ...] = (), stdin: str | None = None) -> Done:
        """A command in the image with the embedded model."""
        given = ("--model", "tiny-qwen2", "--output", str(self.output), *options)
        return self.image("run", *given, "--", *command, stdin=stdin)

    def docker(self, *arguments: str, stdin: str | None = None) -> Done:
        return self._run(["docker", *arguments], stdin=stdin)

    def inside(self, image: str, script: str, *options: str, stdin: str | None = None) -> Done:
        """A shell script in a container that plain `docker run` starts, as people do who have only the image."""
        interactive = [] if stdin is None else ["--interactive"]
        threads = ["--env", "OMP_NUM_THREADS"]
        command = ["run", "--rm", "--network", "none", *threads, *interactive, *options, image, "bash", "-c", script]
        return self.docker(*command, stdin=stdin)

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "image", *arguments]

    def _run(self, command: list[str], *, stdin: str | None = None, **environment: str) -> Done:
        given: dict[str, object] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            command, cwd=self.project, env=self._surroundings(environment), capture_output=True, text=True,
            check=False, **given,
        )  # fmt: skip

    def _surroundings(self, environment: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in self.environment.items() if name not in NOT_A_USERS}
        return {**kept, "PYTHONPATH": str(self.project), "HOME": os.environ.get("HOME", "/root"), **environment}
