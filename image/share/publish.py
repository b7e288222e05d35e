"""The use case `publish`: an image pushed, its digest read back from the registry, and a record of it kept."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from image.build.build import require_image
from image.build.buildx import BuildRequest, build, layer_sizes
from image.core.errors import ConfigError, EngineError, ImageError, RegistryError
from image.core.progress import Listener, Progress, Say
from image.core.project import SOURCE_DATE_EPOCH
from image.engine import Engine, PushEvent, connect
from image.share.history import Published, record
from image.share.run_layer import RunLayer, run_layer

FIRST_WAIT_S = 2.0
# What a retry can mend. A refusal stays one.
PASSING = re.compile(
    r"connection (refused|reset)|broken pipe|closed network connection|EOF|timeout|timed out|TLS handshake|"
    r"server misbehaving|\b(429|500|502|503|504)\b|too many requests",
    re.IGNORECASE,
)
REFERENCE = re.compile(r"[\w.\-]+(:\d+)?(/[a-z0-9]+([._\-]+[a-z0-9]+)*)+:\w[\w.\-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    image: str
    target: str  # registry/name:tag
    output: Path
    run: str | None = None  # a run whose adapter and report come along, as a small layer on top
    tries: int = 5


@dataclass
class _Transfer:
    """What a push moved, over all its tries."""

    totals: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    digest: str = ""

    def take(self, event: PushEvent) -> None:
        self.digest = event.digest or self.digest
        if not event.layer or event.status.startswith("The push refers"):
            return
        if event.total_bytes:
            self.totals[event.layer] = event.total_bytes
            self.done[event.layer] = event.done_bytes
        if event.was_there:
            self.there.add(event.layer)
        elif event.finished:
            self.sent.add(event.layer)
            self.done[event.layer] = self.totals.get(event.layer, 0)


def publish(
    config: PublishConfig,
    *,
    say: Say,
    listener: Listener,
    engine: Engine | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Published:
    """Raises ConfigError (3), EngineError (9) and RegistryError (10)."""
    if not REFERENCE.fullmatch(config.target):
        raise ConfigError(
            f'"{config.target}" is no name in a registry.', next="Write REGISTRY/NAME:TAG, such as ghcr.io/me/ft:1.0."
        )
    engine = engine or connect()
    require_image(engine, config.image)
    if config.run is not None:
        layer = run_layer(config.output, config.run)
        _build_with(config, layer, say)
    else:
        engine.tag(config.image, config.target)
    began = time.monotonic()
    transfer = _pushed(engine, config, say, listener, pause)
    published = Published(
        reference=config.target,
        digest=_same_digest(engine, config.target, transfer),
        layers=len(transfer.sent | transfer.there),
        layers_sent=len(transfer.sent),
        bytes_sent=_bytes_sent(config.target, transfer),
        seconds=round(time.monotonic() - began, 1),
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        run=config.run,
    )
    record(config.output, published)
    return published


def _build_with(config: PublishConfig, layer: RunLayer, say: Say) -> None:
    with layer.context(config.image, SOURCE_DATE_EPOCH) as (context, dockerfile):
        build(
            BuildRequest(
                reference=config.target,
                context=context,
                dockerfile=dockerfile,
                arguments={"SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)},
                direct=True,
            ),
            say,
        )


def _pushed(
    engine: Engine, config: PublishConfig, say: Say, listener: Listener, pause: Callable[[float], None]
) -> _Transfer:
    """Pushes, and once more where the connection broke: layers that the registry has are not sent again."""
    transfer, wait_s = _Transfer(), FIRST_WAIT_S
    for attempt in range(1, config.tries + 1):
        broken = _push_once(engine, config.target, transfer, listener)
        if broken is None:
            return transfer
        if not PASSING.search(broken) or attempt == config.tries:
            raise _refusal(config.target, broken, attempt)
        say(f"push broke off ({broken}); try {attempt + 1} of {config.tries} in {wait_s:.0f} s")
        pause(wait_s)
        wait_s *= 2
    raise AssertionError("unreachable")


def _push_once(engine: Engine, target: str, transfer: _Transfer, listener: Listener) -> str | None:
    """None when all arrived, else why not."""
    try:
        for event in engine.push(target):
            if event.error:
                return _without_addresses(event.error)
            transfer.take(event)
            for progress in _progress(event, transfer):
                listener(progress)
    except EngineError as error:
        return str(error)
    return None


def _without_addresses(error: str) -> str:
    """The engine's words without an upload's address, which is a screen of random letters and tells nothing."""
    return re.sub(r"failed to do request: \w+ \"\S+\": |(readfrom|write|read) tcp \S+->\S+: ", "", error)


def _progress(event: PushEvent, transfer: _Transfer) -> Iterator[Progress]:
    if event.layer in transfer.totals:
        done, total = transfer.done[event.layer], transfer.totals[event.layer]
        yield Progress(task=f"layer {event.layer}", done=done, total=total, part=True)
        yield Progress(task="all layers", done=sum(transfer.done.values()), total=sum(transfer.totals.values()))


def _refusal(target: str, why: str, tries: int) -> ImageError:
    registry = target.split("/", maxsplit=1)[0]
    remedies = (
        (r"basic auth|unauthorized|authorization failed|authentication required", f"Log in: docker login {registry}."),
        (r"denied|forbidden|insufficient_scope|\b403\b", "Is the name yours, and may your login write there?"),
        (r"connection refused|no such host|server misbehaving", f"Is {registry} the right name, and is it up?"),
        (r"certificate|x509", f"Let Docker trust it: /etc/docker/certs.d/{registry}/ca.crt."),
        (r"too large|\b413\b", "The registry limits a layer; the largest here is a weight shard of 3.9 GB."),
        (r"server gave HTTP response", f'Add "{registry}" to insecure-registries, or serve it with TLS.'),
        (r"timeout|timed out|EOF|reset|broken pipe", "Run it again: what has arrived is not sent again."),
        (r"no space|\b507\b", "The registry's disk is full."),
        (r"does not exist|not found", "Is the tag there? docker images."),
    )
    remedy = next((told for pattern, told in remedies if re.search(pattern, why, re.IGNORECASE)), "")
    again = f" after {tries} tries" if tries > 1 else ""
    return RegistryError(f"{target} could not be pushed{again}: {why.rstrip('.')}.", next=remedy)


def _same_digest(engine: Engine, target: str, transfer: _Transfer) -> str:
    """The digest, once the registry has confirmed it. Raises RegistryError where it has another."""
    try:
        there = engine.registry_digest(target)
    except EngineError as error:
        raise RegistryError(f"{target} was pushed, and the registry does not tell its digest: {error.what}") from error
    if transfer.digest and there != transfer.digest:
        raise RegistryError(
            f"{target} is {there} in the registry, and {transfer.digest} was sent.", next="Did somebody else push it?"
        )
    return there


def _bytes_sent(target: str, transfer: _Transfer) -> int:
    """From the registry's own figures where it tells them: of a small layer the engine tells none."""
    sizes = transfer.totals | layer_sizes(target)
    return sum(sizes.get(each, 0) for each in transfer.sent)
