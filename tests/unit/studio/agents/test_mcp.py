"""`toolkit mcp` opens its desk with the first call: hosts start servers that nobody uses."""

from pathlib import Path

import pytest

from toolkit.core.errors import ConfigError
from toolkit.studio.agents.mcp import McpConfig, OwnDesk
from toolkit.studio.jobs import STOPPED


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> McpConfig:
    return McpConfig(folder=tmp_path, model="tiny-qwen2")


def test_an_idle_server_writes_nothing_and_keeps_nobody_out(config: McpConfig):
    idle, other = OwnDesk(config), OwnDesk(config)

    idle.close()

    assert list(config.folder.iterdir()) == []
    assert other().workspace.folder == config.folder


def test_a_desk_is_opened_once(config: McpConfig):
    desk = OwnDesk(config)

    assert desk() is desk()


def test_a_second_server_of_an_output_folder_says_who_has_it(config: McpConfig):
    first, second = OwnDesk(config), OwnDesk(config)
    first()

    with pytest.raises(ConfigError, match="open on output already") as refused:
        second()

    assert "/mcp" in str(refused.value)


def test_a_job_is_asked_to_save_when_the_server_ends(config: McpConfig, monkeypatch: pytest.MonkeyPatch):
    script = "trap 'exit 130' TERM; while true; do sleep 0.05; done"
    monkeypatch.setattr("toolkit.studio.jobs.PROGRAM", ("/bin/bash", "-c", script))
    own = OwnDesk(config)
    job = own().start("train", "x", ())

    own.close()
    own().jobs.child.wait(60)

    assert own().jobs.find(job.number).record.stopping
    assert own().jobs.find(job.number).state in {STOPPED, "running"}
