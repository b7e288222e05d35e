"""The tools and resources as clients list them: valid schemas, few words, and answers that match them."""

import json
from pathlib import Path

import jsonschema
import pytest
from mcp import MCPError

from tests.fakes.agent import talk
from tests.fakes.paired import two_runs
from toolkit.studio.agents.server import make_server
from toolkit.studio.desk import Desk
from toolkit.studio.workspace import Workspace

RUN = "v0-20260101-000000"
ENOUGH = {"runs": {}, "check": {"data": "none"}, "compare": {"run": "v0"}}


@pytest.fixture(name="server")
def _server(tmp_path: Path):
    two_runs(tmp_path / "output")
    desk = Desk.of(Workspace(folder=tmp_path, output=Path("output")), "tiny-qwen2")
    return make_server(lambda: desk, desk.workspace)


def test_every_schema_is_one_and_says_what_it_takes(server):
    tools = talk(server, lambda client: client.list_tools()).tools

    assert [tool.name for tool in tools] == [
        "runs", "make_data", "check", "finetune", "progress", "compare", "ask", "export",
    ]  # fmt: skip
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.title
        assert tool.description
        assert tool.annotations.open_world_hint is False
        assert "context" not in tool.input_schema["properties"]


def test_what_a_model_has_to_read_of_the_tools_is_short(server):
    tools = talk(server, lambda client: client.list_tools()).tools
    read = [{"name": tool.name, "description": tool.description, "parameters": tool.input_schema} for tool in tools]

    assert len(json.dumps(read)) < 6500  # about 1600 tokens


@pytest.mark.parametrize("name", ["runs", "compare"])
def test_an_answer_is_as_its_schema_says(server, name: str):
    async def conversation(client):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        return tools[name].output_schema, await client.call_tool(name, ENOUGH[name])

    schema, result = talk(server, conversation)

    jsonschema.validate(result.structured_content, schema)


def test_resources_are_runs_reports_and_docs(server):
    async def conversation(client):
        listed = [one.uri for one in (await client.list_resources()).resources]
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        guide = await client.read_resource("toolkit://docs/agents.md")
        run = await client.read_resource(f"toolkit://runs/{RUN}")
        return listed, templates, guide.contents[0].text, json.loads(run.contents[0].text)

    listed, templates, guide, run = talk(server, conversation)

    assert {"toolkit://runs", "toolkit://docs/agents.md"} <= set(listed)
    assert templates == ["toolkit://runs/{run}", "toolkit://runs/{run}/report"]
    assert "toolkit mcp" in guide
    assert run["run_id"] == RUN


@pytest.mark.parametrize(
    "uri",
    [
        "toolkit://runs/..%2F..%2Fsecret", "toolkit://runs/latest", "toolkit://docs/..%2FREADME.md", "file:///etc/passwd",
        "toolkit://docs/../README.md", f"toolkit://runs/{RUN}%2F../report",
    ],
)  # fmt: skip
def test_no_resource_leads_elsewhere(server, uri: str):
    with pytest.raises(MCPError):
        talk(server, lambda client: client.read_resource(uri))


def test_an_unknown_tool_is_an_error_and_no_crash(server):
    assert talk(server, lambda client: client.call_tool("shell", {"command": "ls"})).is_error
