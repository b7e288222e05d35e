"""Drives BuildKit, which the SDK cannot: `docker buildx build` as a child process, its image streamed to the engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image.core.errors import EngineError, Interrupted
from image.core.progress import Say

# type=docker with a destination alone rewrites timestamps ("conflicts with unpack" elsewhere: moby/buildkit#4230), and
# streaming spares the disk a second copy. zstd: weights do not compress, and gzip would spend minutes to find that out.
STREAMED = "type=docker,dest=-,rewrite-timestamp=true,oci-mediatypes=true,compression=zstd"
# Straight into the engine, for a small layer on an image that it has: no byte of that image moves.
DIRECT = "type=image,oci-mediatypes=true,compression=zstd,unpack=true"


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    reference: str
    context: Path
    dockerfile: Path | None = None  # None: the context's own
    arguments: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    network: str = "default"
    use_cache: bool = True
    direct: bool = False  # for contexts whose every time is set already: nothing is rewritten


def command(request: BuildRequest, metadata: Path) -> list[str]:
    """The child process's arguments."""
    return [
        *("docker", "buildx", "build", "--provenance=false", "--sbom=false"),  # attested after, else no two are equal
        *("--network", request.network),
        *(f"--build-arg={name}={value}" for name, value in sorted(request.arguments.items())),
        *(f"--build-context={name}={path}" for name, path in sorted(request.contexts.items())),
        *(f"--secret=id={name},src={path}" for name, path in sorted(request.secrets.items())),
        *([] if request.use_cache else ["--no-cache"]),
        *([f"--file={request.dockerfile}"] if request.dockerfile else []),
        f"--output={DIRECT if request.direct else STREAMED},name={request.reference}",
        f"--metadata-file={metadata}",
        str(request.context),
    ]


def build(request: BuildRequest, say: Say) -> str:
    """Builds and loads; returns the image's digest. Raises EngineError with the build's last words."""
    if shutil.which("docker") is None:
        raise EngineError("The docker command is not there.", next="Install Docker, or work without: RUNTIME=local.")
    with tempfile.TemporaryDirectory(prefix="build-") as folder:
        metadata, words = Path(folder) / "metadata.json", Path(folder) / "words.txt"
        arguments = command(request, metadata)
        say("+ " + shlex.join(arguments))
        built, loaded, refused = _streamed(arguments, words, load=not request.direct)
        # Each fails when the other does: a loader that got nothing tells nothing, else it has the reason.
        if built != 0 and (not refused or CUT_OFF.search(refused)):
            reason = _reason(words.read_text(errors="replace"))
            remedy = NO_ROOM if "no space left" in reason else ""
            raise EngineError(f"The build failed (exit code {built}): {reason}", next=remedy)
        if built != 0 or loaded != 0:
            raise EngineError(f"The engine did not take the image: {refused}.", next=NO_ROOM)
        return str(json.loads(metadata.read_text())["containerimage.digest"])


CUT_OFF = re.compile(r"unrecognized image format|EOF", re.IGNORECASE)
NO_ROOM = "Is there room where Docker stores? docker system df; make doctor."


def layer_sizes(reference: str) -> dict[str, int]:
    """Short name → bytes as they travel, of each layer that the registry has; empty where it does not tell."""
    asked = subprocess.run(
        ["docker", "buildx", "imagetools", "inspect", "--raw", reference], capture_output=True, text=True, check=False
    )
    try:
        layers = json.loads(asked.stdout)["layers"]
    except (ValueError, KeyError):
        return {}
    return {layer["digest"].removeprefix("sha256:")[:12]: layer["size"] for layer in layers}


def _streamed(arguments: list[str], words: Path, *, load: bool) -> tuple[int, int, str]:
    """Exit codes of the build and of the load, and what the load said."""
    # In front of a person BuildKit draws its own progress, which must be the terminal's; else its words are kept.
    drawn = os.isatty(2)
    with words.open("wb") as kept:
        builder = subprocess.Popen(
            [*arguments[:3], f"--progress={'auto' if drawn else 'plain'}", *arguments[3:]],
            stdout=subprocess.PIPE,
            stderr=None if drawn else subprocess.PIPE,
        )
        loader = subprocess.Popen(
            ["docker", "load", "--quiet"] if load else ["cat"],
            stdin=builder.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert builder.stdout is not None
        builder.stdout.close()  # else the builder would not hear that the loader went away
        try:
            for line in builder.stderr or ():
                kept.write(line)
                os.write(2, line)
            _, refused = loader.communicate()
            return builder.wait(), loader.returncode, refused.decode(errors="replace").strip()
        except KeyboardInterrupt:
            for child in (builder, loader):
                child.terminate()
                child.wait()
            raise Interrupted("Interrupted. What was built so far is cached.", next="Run it again.") from None


def _reason(words: str) -> str:
    """The line that says why, of what BuildKit printed; empty where it was drawn on the terminal."""
    told = [line.strip() for line in words.splitlines() if line.startswith(("ERROR:", "error:"))]
    return (told[-1].removeprefix("ERROR: ").rstrip(".") + ".") if told else "see above."
