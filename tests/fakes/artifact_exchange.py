"""An adapter sent to a fake registry and pulled from one."""

from pathlib import Path

from image.core.address import Login, read_address
from image.registry import Repository
from image.share.history import PublishRecord
from image.share.publish_adapter import PublishAdapterConfig, publish_adapter
from image.share.pull_adapter import PullAdapterConfig, PullResult, pull_adapter
from tests.fakes.registry import FakeRegistry


def door(registry: FakeRegistry, login: Login | None = None, waits: list[float] | None = None, **options) -> Repository:
    address = read_address(f"{registry.address}/team/adapter:1")
    pause = (lambda _: None) if waits is None else waits.append
    return Repository(address, notify=lambda _: None, login=login, pause=pause, **options)


def published(registry: FakeRegistry, output: Path, repository: Repository | None = None, **options) -> PublishRecord:
    config = PublishAdapterConfig(target=f"{registry.address}/team/adapter:1", run="v0", output=output, **options)
    return publish_adapter(
        config, notify=lambda _: None, listener=lambda _: None, registry=repository or door(registry)
    )  # fmt: skip


def pulled(
    registry: FakeRegistry, output: Path, reference: str = "", repository: Repository | None = None, **options
) -> PullResult:
    reference = reference or f"{registry.address}/team/adapter:1"
    repository = repository or Repository(read_address(reference), notify=lambda _: None, pause=lambda _: None)
    config = PullAdapterConfig(reference=reference, output=output, **options)
    return pull_adapter(config, notify=lambda _: None, listener=lambda _: None, registry=repository)
