"""Drives BuildKit, which the SDK cannot: runs `docker buildx build` and streams its image to the engine."""

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
from image.core.progress import Notify

# Only type=docker with a destination can rewrite timestamps (others "conflict with unpack": moby/buildkit#4230), and
# streaming saves a second copy on disk. zstd: weights do not compress, and gzip would take minutes to find that out.
STREAMED = "type=docker,dest=-,rewrite-timestamp=true,oci-mediatypes=true,compression=zstd"
# Straight into the engine, for a small layer on top of an image that it has: no byte of that image is copied.
DIRECT = "type=image,oci-mediatypes=true,compression=zstd,unpack=true"
CUT_OFF = re.compile(r"unrecognized image format|EOF", re.IGNORECASE)
NO_SPACE = "Check the free space in Docker's storage: docker system df; make doctor."


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    reference: str
    context: Path
    dockerfile: Path | None = None  # None: the one in the context
    arguments: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    network: str = "default"
    use_cache: bool = True
    direct: bool = False  # for contexts whose timestamps are all set: none are rewritten


def command(request: BuildRequest, metadata: Path) -> list[str]:
    """The arguments of the child process, which writes the image's digest to the file `metadata`."""
    return [
        *("docker", "buildx", "build"),
        *("--provenance=false", "--sbom=false"),  # attestations contain the time, so no two builds would be equal
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


def build(request: BuildRequest, notify: Notify) -> str:
    """Builds and loads the image, and returns its digest. Raises EngineError, with BuildKit's last error line."""
    if shutil.which("docker") is None:
        raise EngineError(
            "The docker command is not installed.", next="Install Docker, or do without it: RUNTIME=local."
        )
    with tempfile.TemporaryDirectory(prefix="build-") as folder:
        metadata, log = Path(folder) / "metadata.json", Path(folder) / "build.log"
        arguments = command(request, metadata)
        notify("+ " + shlex.join(arguments))
        build_code, load_code, load_error = _stream_to_engine(arguments, log, load=not request.direct)
        # If either fails, so does the other. A load error other than a cut-off stream is the real reason.
        if build_code != 0 and (not load_error or CUT_OFF.search(load_error)):
            reason = _failure_reason(log.read_text(errors="replace"))
            remedy = NO_SPACE if "no space left" in reason else ""
            raise EngineError(f"The build failed (exit code {build_code}): {reason}", next=remedy)
        if build_code != 0 or load_code != 0:
            raise EngineError(f"The engine could not load the image: {load_error}.", next=NO_SPACE)
        return str(json.loads(metadata.read_text())["containerimage.digest"])


def layer_sizes(reference: str) -> dict[str, int]:
    """Short digest → compressed size in bytes of each layer in the registry; empty if the registry does not answer."""
    inspection = subprocess.run(
        ["docker", "buildx", "imagetools", "inspect", "--raw", reference], capture_output=True, text=True, check=False
    )
    try:
        layers = json.loads(inspection.stdout)["layers"]
    except (ValueError, KeyError):
        return {}
    return {layer["digest"].removeprefix("sha256:")[:12]: layer["size"] for layer in layers}


def _stream_to_engine(arguments: list[str], log: Path, *, load: bool) -> tuple[int, int, str]:
    """Exit codes of the build and of the load, and the load's stderr."""
    # On a terminal BuildKit draws its own progress and needs stderr itself; otherwise its output goes to `log` as well.
    on_terminal = os.isatty(2)
    with log.open("wb") as log_file:
        builder = subprocess.Popen(
            [*arguments[:3], f"--progress={'auto' if on_terminal else 'plain'}", *arguments[3:]],
            stdout=subprocess.PIPE,
            stderr=None if on_terminal else subprocess.PIPE,
        )
        loader = subprocess.Popen(
            ["docker", "load", "--quiet"] if load else ["cat"],
            stdin=builder.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert builder.stdout is not None
        builder.stdout.close()  # so that the builder notices when the loader exits
        try:
            for line in builder.stderr or ():
                log_file.write(line)
                os.write(2, line)
            _, load_error = loader.communicate()
            return builder.wait(), loader.returncode, load_error.decode(errors="replace").strip()
        except KeyboardInterrupt:
            for child in (builder, loader):
                child.terminate()
                child.wait()
            raise Interrupted("Interrupted. The steps built so far are cached.", next="Run it again.") from None


def _failure_reason(log: str) -> str:
    """BuildKit's last error line; "see above." if the log has none, as on a terminal."""
    errors = [line.strip() for line in log.splitlines() if line.startswith(("ERROR:", "error:"))]
    return (errors[-1].removeprefix("ERROR: ").rstrip(".") + ".") if errors else "see above."
