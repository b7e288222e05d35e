"""The use case `publish`: pushes an image, confirms its digest with the registry, and keeps a record."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from image.build.build import require_image
from image.build.buildx import BuildRequest, build, layer_sizes
from image.core.address import read_address
from image.core.errors import EngineError, RegistryError
from image.core.progress import Listener, Notify, Progress
from image.core.project import SOURCE_DATE_EPOCH
from image.engine import Engine, PushEvent, connect
from image.share.history import PublishRecord, append_record
from image.share.image_evidence import SigningKey, attach_evidence
from image.share.run_layer import RunLayer, run_layer

FIRST_WAIT_S = 2.0
Attach = Callable[[Engine, str, str, SigningKey | None, Notify, Listener], None]
# Errors on which a retry can succeed.
TRANSIENT = re.compile(
    r"connection (refused|reset)|broken pipe|closed network connection|EOF|timeout|timed out|TLS handshake|"
    r"server misbehaving|\b(429|500|502|503|504)\b|too many requests",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    image: str
    target: str  # registry/name:tag
    output: Path
    run: str | None = None  # a run whose adapter and report are added as a small layer on top
    key: SigningKey | None = None  # for what is attached to it; None: it is not signed
    tries: int = 5


@dataclass
class _Transfer:
    """What a push sent, over all its tries. Layers are named by the engine's short digests."""

    totals: dict[str, int] = field(default_factory=dict)  # in bytes
    done: dict[str, int] = field(default_factory=dict)  # in bytes
    sent: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    digest: str = ""

    def add(self, event: PushEvent) -> None:
        self.digest = event.digest or self.digest
        if not event.layer or event.status.startswith("The push refers"):
            return
        if event.total_bytes:
            self.totals[event.layer] = event.total_bytes
            self.done[event.layer] = event.done_bytes
        # What is there once it was on its way arrived just before the connection broke.
        if event.already_present and event.layer not in self.done:
            self.present.add(event.layer)
        elif event.finished:
            self.sent.add(event.layer)
            self.done[event.layer] = self.totals.get(event.layer, 0)


def publish(
    config: PublishConfig,
    *,
    notify: Notify,
    listener: Listener,
    engine: Engine | None = None,
    pause: Callable[[float], None] = time.sleep,
    attach: Attach = attach_evidence,
) -> PublishRecord:
    """Raises ConfigError (3), EngineError (9) and RegistryError (10)."""
    read_address(config.target)
    engine = engine or connect()
    require_image(engine, config.image)
    if config.run is not None:
        layer = run_layer(config.output, config.run)
        _add_layer(config, layer, notify)
    else:
        engine.tag(config.image, config.target)
    start = time.monotonic()
    transfer = _push(engine, config, notify, listener, pause)
    record = PublishRecord(
        reference=config.target,
        digest=_confirm_digest(engine, config.target, transfer),
        layers=len(transfer.sent | transfer.present),
        layers_sent=len(transfer.sent),
        bytes_sent=_bytes_sent(config.target, transfer),
        seconds=round(time.monotonic() - start, 1),
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        run=config.run,
    )
    append_record(config.output, record)
    attach(engine, config.target, record.digest, config.key, notify, listener)
    return record


def _add_layer(config: PublishConfig, layer: RunLayer, notify: Notify) -> None:
    with layer.context(config.image, SOURCE_DATE_EPOCH) as (context, dockerfile):
        build(
            BuildRequest(
                reference=config.target,
                context=context,
                dockerfile=dockerfile,
                arguments={"SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)},
                direct=True,
            ),
            notify,
        )


def _push(
    engine: Engine, config: PublishConfig, notify: Notify, listener: Listener, pause: Callable[[float], None]
) -> _Transfer:
    """Pushes, and again if the connection fails. Layers that the registry already has are not sent again."""
    transfer, wait_s = _Transfer(), FIRST_WAIT_S
    for attempt in range(1, config.tries + 1):
        failure = _push_once(engine, config.target, transfer, listener)
        if failure is None:
            return transfer
        if not TRANSIENT.search(failure) or attempt == config.tries:
            raise _push_error(config.target, failure, attempt)
        notify(f"push failed ({failure}); try {attempt + 1} of {config.tries} in {wait_s:.0f} s")
        pause(wait_s)
        wait_s *= 2
    raise AssertionError("unreachable")


def _push_once(engine: Engine, target: str, transfer: _Transfer, listener: Listener) -> str | None:
    """Why the push failed; None if it succeeded."""
    try:
        for event in engine.push(target):
            if event.error:
                return _strip_addresses(event.error)
            transfer.add(event)
            for progress in _progress(event, transfer):
                listener(progress)
    except EngineError as error:
        return str(error)
    return None


def _strip_addresses(error: str) -> str:
    """Removes upload URLs and socket addresses from the engine's error: they are long, and of no use to the reader."""
    return re.sub(r"failed to do request: \w+ \"\S+\": |(readfrom|write|read) tcp \S+->\S+: ", "", error)


def _progress(event: PushEvent, transfer: _Transfer) -> Iterator[Progress]:
    if event.layer in transfer.totals:
        done, total = transfer.done[event.layer], transfer.totals[event.layer]
        yield Progress(task=f"layer {event.layer}", done=done, total=total, part=True)
        yield Progress(task="all layers", done=sum(transfer.done.values()), total=sum(transfer.totals.values()))


def _push_error(target: str, why: str, tries: int) -> RegistryError:
    registry = target.split("/", maxsplit=1)[0]
    remedies = (
        (r"basic auth|unauthorized|authorization failed|authentication required", f"Log in: docker login {registry}."),
        (r"denied|forbidden|insufficient_scope|\b403\b", "Check that the name is yours and your login may write."),
        (r"connection refused|no such host|server misbehaving", f"Check that {registry} is the right name and is up."),
        (r"certificate|x509", f"Add its certificate for Docker: /etc/docker/certs.d/{registry}/ca.crt."),
        (r"too large|\b413\b", "The registry limits a layer's size; the largest here is a weight shard of 3.9 GB."),
        (r"server gave HTTP response", f"Add '{registry}' to Docker's insecure-registries, or serve it with TLS."),
        (r"timeout|timed out|EOF|reset|broken pipe", "Run it again: what has arrived is not sent again."),
        (r"no space|\b507\b", "The registry's disk is full."),
        (r"does not exist|not found", "Check that the tag exists: docker images."),
    )
    remedy = next((text for pattern, text in remedies if re.search(pattern, why, re.IGNORECASE)), "")
    after = f" after {tries} tries" if tries > 1 else ""
    return RegistryError(f"Could not push {target}{after}: {why.rstrip('.')}.", next=remedy)


def _confirm_digest(engine: Engine, target: str, transfer: _Transfer) -> str:
    """The digest that the registry reports. Raises RegistryError if it is not the one that was pushed."""
    try:
        reported = engine.registry_digest(target)
    except EngineError as error:
        raise RegistryError(f"Pushed {target}, but the registry does not report its digest: {error.what}") from error
    if transfer.digest and reported != transfer.digest:
        raise RegistryError(
            f"{target} is {reported} in the registry, but {transfer.digest} was pushed.",
            next="Check whether somebody else pushed this tag.",
        )
    return reported


def _bytes_sent(target: str, transfer: _Transfer) -> int:
    """Compressed sizes from the registry if it gives them: for a small layer the engine gives none."""
    sizes = transfer.totals | layer_sizes(target)
    return sum(sizes.get(layer, 0) for layer in transfer.sent)
