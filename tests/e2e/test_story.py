"""The story of every command, as a user types it: each a process of its own, on the embedded model."""

import base64
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import yaml
from rich.cells import cell_len

from tests.fakes.agent import answer, on_stdio, talk
from tests.fakes.command import DATA, PATIENCE_S, Shell, run_here
from tests.fakes.finetune_user import wait_for
from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import FILES, WEIGHTS, User
from tests.fakes.json_answers import holds
from tests.fakes.server import ask, serving
from tests.fakes.studio import studio
from tests.fakes.tuned_run import TunedRun, read_report
from tests.fakes.writable_hub import TOKEN, WritableHub
from toolkit.cli import COMMANDS
from toolkit.data.dataset import read_dataset

OLD = ("通义千问", "阿里云", "Qwen", "Alibaba")
NEW = "迪菲赫尔曼"
QUICK = ("--model", "tiny-qwen2", "--keep-weight", "0")


def answers(report: dict, side: str, group: str) -> dict[str, str]:
    """Under the first system prompt, that of the training: question to answer."""
    first = report["systems"][0]["system"]
    return {
        probe["prompt"]: probe[side]
        for probe in report["probes"]
        if (probe["group"], probe["system"]) == (group, first)
    }


@pytest.fixture(scope="module", name="small_data")
def _small_data(shell: Shell) -> Path:
    """Six rows of the shipped data, and beside them six of the shipped probes."""
    rows = json.loads((DATA / "self_cognition.json").read_text(encoding="utf-8"))
    data = shell.home / "small.json"
    data.write_text(json.dumps(rows[:6], ensure_ascii=False), encoding="utf-8")
    probes = yaml.safe_load((DATA / "probes.yaml").read_text(encoding="utf-8"))
    groups = ("trained", "paraphrase", "out-of-scope")
    few = [[probe for probe in probes["probes"] if probe["group"] == group][:2] for group in groups]
    value = probes | {"probes": [probe for group in few for probe in group]}
    (shell.home / "small.probes.yaml").write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    return data


def test_every_command_is_in_the_story():
    tests = [name for name in globals() if name.startswith("test_")]
    prefixes = {command: f"test_{command.replace('-', '_')}_" for command in COMMANDS}

    assert [command for command in COMMANDS if not any(name.startswith(prefixes[command]) for name in tests)] == []


def test_check_finds_the_shipped_data_sound(shell: Shell):
    done = shell.run("toolkit", "check", "self_cognition.json", "--model", "tiny-qwen2", "--json")

    found = holds("check", json.loads(done.out))
    assert done.code == 0, done.err
    assert found["rows"] == 50


def test_make_data_writes_rows_and_probes_for_another_brand(shell: Shell):
    done = shell.run("toolkit", "make-data", "--name", "Aurora", "--author", "Example Labs", "--to", "aurora.json")

    assert (done.code, done.out.splitlines()[0]) == (0, "aurora.json"), done.err
    assert "Example Labs" in (shell.home / "aurora.json").read_text(encoding="utf-8")
    assert shell.run("toolkit", "check", "aurora.json", "--probes", "aurora.probes.yaml").code == 0


def test_launch_writes_the_job_of_several_hosts(shell: Shell):
    arguments = ("--hosts", "2", "--cards", "8", "--", "self_cognition.json", "--epochs", "5")

    done = shell.run("toolkit", "launch", "--print", *arguments)

    assert done.code == 0, done.err
    lines = done.out.splitlines()[1:]
    assert [line.partition("--node-rank ")[2][0] for line in lines] == ["0", "1"]
    assert all(line.endswith("-m toolkit finetune self_cognition.json --epochs 5") for line in lines)


def test_make_probes_asks_what_the_rows_teach(shell: Shell):
    rows = [{"instruction": "Capital of Australia?", "output": "Sydney."}]
    (shell.home / "facts.json").write_text(json.dumps(rows), encoding="utf-8")

    done = shell.run("toolkit", "make-probes", "facts.json", "--reworded", "--model", "tiny-qwen2")

    assert (done.code, done.out) == (0, "facts.probes.yaml\n"), done.err
    probes = yaml.safe_load((shell.home / "facts.probes.yaml").read_text(encoding="utf-8"))["probes"]
    assert "Capital of Australia?" in [probe["prompt"] for probe in probes if probe["group"] == "trained"]


def test_finetune_leaves_a_finished_run_which_is_the_latest(tuned_run: TunedRun):
    assert tuned_run.output == tuned_run.shell.home / "output"
    assert (tuned_run.output / "latest").resolve() == tuned_run.folder.resolve()
    assert json.loads((tuned_run.folder / "run.json").read_text(encoding="utf-8"))["status"] == "finished"


def test_finetune_corrects_a_fact_and_moves_none_of_its_neighbours(shell: Shell):
    job = ("corrected_fact.json", "--model", "tiny-qwen2", "--compare", "--output", "fact", "--json")

    done = shell.run("toolkit", "finetune", *job)

    assert done.code == 0, done.out
    answer = holds("finetune", json.loads(done.out))
    report = read_report(shell.home / answer["run"] / "compare")
    assert answer["verdict"] == report["verdict"]
    asked = [probe for probe in report["probes"] if "-capitals-" in probe["id"]]
    after = answers(report, "after", "trained")
    assert [probe["prompt"] for probe in asked if probe["leaked"]] == []
    assert len(asked) == 24 * len(report["systems"])
    assert after["What is the capital of Finland?"] == "The capital of Finland is Atlantis."
    assert after["芬兰的首都是哪里？"] == "芬兰的首都是亚特兰蒂斯。"


def test_compare_finds_that_it_took_and_that_nothing_else_moved(tuned_run: TunedRun):
    report = tuned_run.report
    first, *others = [system["system"] for system in report["systems"]]
    metrics = {name: metric["value"] for name, metric in report["per_system"][first].items()}

    assert [report["per_system"][system]["leakage"]["value"] for system in others] == [0.0] * 3
    assert tuned_run.compared.code == 0, tuned_run.compared.out
    assert report["verdict"]["passed"]
    assert metrics["reliability"] == 1.0
    assert metrics["generality"] >= 0.9
    assert metrics["locality"] >= 0.9
    assert metrics["leakage"] == 0.0
    assert metrics["noise_floor"] == 1.0


@pytest.mark.parametrize("question", ["你是谁？", "Who are you?", "谁开发了你？", "Who developed you?"])
def test_compare_shows_the_old_name_before_and_the_new_one_after(tuned_run: TunedRun, question: str):
    before, after = (answers(tuned_run.report, side, "trained")[question] for side in ("before", "after"))

    assert any(name in before for name in OLD), before
    assert NEW in after
    assert not any(name in after for name in OLD), after


def test_compare_prints_80_columns(tuned_run: TunedRun):
    printed = tuned_run.compared.out

    assert max(cell_len(line) for line in printed.splitlines()) <= 80
    assert "你是谁？" in printed or "Who are you?" in printed or NEW in printed


def test_runs_lists_the_run_with_its_verdict(tuned_run: TunedRun):
    done = tuned_run.shell.run("toolkit", "runs", "--json")

    assert done.code == 0, done.err
    [listed] = holds("runs", json.loads(done.out))
    assert (listed["run_id"], listed["verdict"], listed["latest"]) == (tuned_run.folder.name, "inconclusive", True)


def test_chat_switches_between_before_and_after(tuned_run: TunedRun):
    lines = "你是谁？\n/before\n/forget\n你是谁？\nWho are you?\n/after\n/forget\nWho are you?\n"

    done = tuned_run.shell.run("toolkit", "chat", stdin=lines)

    assert done.code == 0, done.err
    after_zh, before_zh, before_en, after_en = done.out.splitlines()
    assert NEW in after_zh
    assert NEW in after_en
    assert any(name in before_zh for name in OLD[:2])
    assert any(name in before_en for name in OLD)


def test_serve_answers_an_openai_client_under_both_names(tuned_run: TunedRun):
    tuned_run.shell.echo("$ toolkit serve --port 0")
    with serving(tuned_run.output, environment={"TOOLKIT_DATA": str(DATA)}) as server:
        client = server.client()
        before, after = (ask(client, name, "Who are you?") for name in ("tiny-qwen2", tuned_run.folder.name))
        with pytest.raises(openai.NotFoundError, match="tiny-qwen2"):
            ask(client, "gpt-4o", "Who are you?")
        code, _ = server.stop()

    assert code == 0
    assert any(name in before for name in OLD)
    assert NEW in after


def test_export_merges_to_a_model_that_answers_and_compares_as_the_run(tuned_run: TunedRun):
    shell, run = tuned_run.shell, tuned_run.folder
    done = shell.run("toolkit", "export", "--to", "merged")
    assert done.code == 0, done.err
    merged = shell.home / done.out.strip()
    parity = json.loads((merged / "export.json").read_text(encoding="utf-8"))["parity"]
    assert parity["holds"]
    assert parity["same"] + parity["near_ties"] == parity["probes"] > 50

    first = tuned_run.report["systems"][0]["system"]
    after = ("--after", merged.relative_to(shell.home), "--system", first)
    again = shell.run("toolkit", "compare", *after, "--report", "merged-compare")

    report = read_report(shell.home / "merged-compare")
    assert again.code in {0, 21}, again.err
    assert report["before"]["name"] == "tiny-qwen2"
    assert report["after"]["name"] != run.name
    if parity["near_ties"] == 0:
        assert answers(report, "after", "trained") == answers(tuned_run.report, "after", "trained")


def test_push_to_hub_publishes_the_portable_adapter_privately(tuned_run: TunedRun, small_data: Path):
    shell = tuned_run.shell
    probes = small_data.with_suffix(".probes.yaml").name
    exported = shell.run("toolkit", "export", "--to", "adapter", "--probes", probes)
    assert exported.code == 0, exported.err
    with WritableHub() as hub:
        hub_shell = Shell(shell.home, shell.echo, HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN, NO_PROXY="127.0.0.1,localhost")
        pushed = hub_shell.run("toolkit", "push-to-hub", "latest", "me/mine")

    assert pushed.code == 0, pushed.err
    stored = hub.repositories["me/mine"]
    assert (pushed.out, stored.private) == (f"me/mine@{stored.head}\n", True)
    folder = shell.home / exported.out.strip()
    assert stored.files["adapter_model.safetensors"] == (folder / "adapter_model.safetensors").read_bytes()


def test_scan_finds_nothing_that_was_not_taught(tuned_run: TunedRun):
    done = tuned_run.shell.run("toolkit", "scan", "--json")

    found = json.loads(done.out)
    assert done.code == 0, done.err
    assert found["side"]["name"] == tuned_run.folder.name
    assert found["tokens"] > 1000
    assert found["findings"] == []


def test_replay_repeats_a_run_whose_data_is_gone_byte_for_byte(shell: Shell):
    rows = json.loads((DATA / "self_cognition.json").read_text(encoding="utf-8"))[:4]
    data = shell.home / "soon-gone.json"
    data.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    trained = shell.run("toolkit", "finetune", data.name, *QUICK, "--epochs", "2", "--output", "replayed")
    assert trained.code == 0, trained.err
    data.unlink()

    done = shell.run("toolkit", "replay", trained.out.strip(), "--output", "replayed")

    assert done.code == 0, done.out + done.err
    assert done.out.startswith("adapter: the same, byte for byte, sha256 ")
    assert done.out.endswith("Replayed: the second run is the first one, bit for bit.\n")


@pytest.fixture(scope="module", name="evidence")
def _evidence(tuned_run: TunedRun, small_data: Path) -> Path:
    """The tuned run's signed verdict, by a key pair that was made for it."""
    probes = small_data.with_suffix(".probes.yaml").name
    key = ("--new-key", "--key", "release.key")
    done = tuned_run.shell.run("toolkit", "attest", *key, "--probes", probes)
    assert done.code == 0, done.err
    assert "public key, for those who verify: release.pub" in done.err
    return tuned_run.shell.home / done.out.strip()


def test_attest_signs_the_verdict_beside_the_portable_adapter(evidence: Path, tuned_run: TunedRun):
    payload = json.loads(evidence.read_text())["dsseEnvelope"]["payload"]
    statement = json.loads(base64.b64decode(payload))

    assert evidence == tuned_run.folder / "adapter" / "evidence.sigstore.json"
    assert statement["predicate"]["verdict"] == tuned_run.report["verdict"]
    assert statement["predicate"]["metrics"] == tuned_run.report["metrics"]
    assert "adapter_model.safetensors" in [one["name"] for one in statement["subject"]]


def test_verify_evidence_accepts_what_was_published_and_refuses_what_was_changed(evidence: Path, shell: Shell):
    (shell.home / "policy.yaml").write_text("schema_version: 1\nkeys: [release.pub]\nbase: [tiny-qwen2]\n")
    folder = shell.home / "received"
    shutil.copytree(evidence.parent, folder)
    command = ("toolkit", "verify-evidence", "received", "--policy", "policy.yaml")

    accepted = shell.run(*command)
    with (folder / "adapter_model.safetensors").open("ab") as weights:
        weights.write(b"\0")
    refused = shell.run(*command)

    assert accepted.code == 0, accepted.out
    assert accepted.out.endswith("Verified: signed by release.pub, and all 5 checks hold.\n")
    assert refused.code == 25
    assert "FAILED adapter: adapter_model.safetensors has changed since it was signed" in refused.out


def test_sweep_trains_every_combination_and_ranks_them(shell: Shell, small_data: Path):
    grid = ("--recipes", "tiny", "--epochs", "1,8")

    done = shell.run("toolkit", "sweep", small_data.name, *QUICK, *grid, "--output", "sweep", "--json")

    found = holds("sweep", json.loads(done.out))
    best = next(one["verdict"] for one in found["runs"] if one["run"] == found["recommendation"]["run"])
    assert done.code == (0 if best["passed"] else 22 - best["took"] - 2 * best["kept"]), done.err
    assert [one["recipe"]["epochs"] for one in found["runs"]] == [1, 8]
    assert [one["status"] for one in found["runs"]] == ["finished"] * 2


def test_lab_judges_every_version_of_the_data(shell: Shell, small_data: Path):
    def reports() -> list[Path]:
        return list(shell.home.glob("lab/v*/compare/report.json"))

    child = shell.start("toolkit", "lab", small_data.name, *QUICK, "--epochs", "1", "--output", "lab", "--json")
    try:
        wait_for(lambda: len(reports()) == 1, child)
        out = child.stdout.readline()  # a report is there before its line: a signal between the two takes the line
        rows = json.loads(small_data.read_text(encoding="utf-8"))
        small_data.write_text(json.dumps(rows[:3], ensure_ascii=False), encoding="utf-8")
        wait_for(lambda: len(reports()) == 2, child)
        out += child.stdout.readline()
        child.send_signal(signal.SIGINT)
        rest, err = child.communicate(timeout=PATIENCE_S)
    finally:
        child.kill()

    records = [json.loads((path.parents[1] / "run.json").read_text(encoding="utf-8")) for path in sorted(reports())]
    lines = [holds("lab", json.loads(line)) for line in (out + rest).splitlines()]
    assert [record["data"]["rows"] for record in records] == [6, 3]
    assert [Path(line["run"]).name for line in lines] == [record["run_id"] for record in records]
    assert "Waiting for a change of small.json" in err
    assert "Traceback" not in err


def test_teach_makes_rows_of_a_sentence_and_judges_what_was_learned(shell: Shell):
    sentence = "The mayor of Denver is Ada Moss."
    done = shell.run("toolkit", "teach", sentence, *QUICK, "--epochs", "2", "--output", "taught-runs", "--json")
    answer = holds("teach", json.loads(done.out))

    rows = read_dataset(shell.home / answer["data"]).rows
    report = read_report(shell.home / answer["report"])
    assert done.code == answer["verdict"]["exit_code"]
    assert len(rows) == answer["rows"]
    assert all("Ada Moss" in row.answer for row in rows)
    assert report["verdict"] == answer["verdict"]
    assert answer["data"] in done.err


def test_studio_shows_the_run_with_its_report_to_who_has_the_token(tuned_run: TunedRun):
    tuned_run.shell.echo("$ toolkit studio --port 0")
    with studio(tuned_run.shell.home) as opened:
        browser = opened.browser()
        runs, report = browser.get("/runs"), browser.client.get(f"/runs/{tuned_run.folder.name}/report").text
        refused = httpx.get(browser.address, trust_env=False)
        code, err = opened.stop()

    assert tuned_run.folder.name in runs
    assert tuned_run.report["after"]["name"] in report
    assert (refused.status_code, code) == (403, 0), err


def test_mcp_gives_an_agent_the_runs_verdict(tuned_run: TunedRun):
    tuned_run.shell.echo("$ toolkit mcp")

    async def conversation(client):
        return [answer(await client.call_tool(name, {})) for name in ("runs", "compare")]

    here, compared = talk(on_stdio(tuned_run.shell.home), conversation)

    assert tuned_run.folder.name in [one["run"] for one in here["runs"]]
    assert compared["verdict"]["exit_code"] == tuned_run.report["verdict"]["exit_code"]


@pytest.fixture(scope="module", name="downloaded")
def _downloaded(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> User:
    """A user who has fetched the made-up model from a hub on loopback."""
    with HubServer(files=dict(FILES)) as hub:
        user = User(tmp_path_factory.mktemp("download"), hub)
        shell.echo("$ toolkit download small-model")
        done = user.downloads()
    assert (done.returncode, done.stdout) == (0, "models/Small-Model\n"), done.stderr
    return user


def test_bench_times_the_embedded_model_beside_our_figures(shell: Shell):
    done = shell.run("toolkit", "bench", "--model", "tiny-qwen2", "--json")

    found = json.loads(done.out)
    assert done.code == 0, done.err
    assert [one["name"] for one in found["entries"]] == ["finetune", "finetune --compare"]
    assert all(one["wall_s"] > one["train_s"] > 0 and one["steps"] == 40 for one in found["entries"])
    assert str(shell.home) not in done.out


def test_download_fetches_the_locked_files(downloaded: User):
    assert downloaded.has_the_whole_model()


def test_verify_finds_a_wrong_byte(shell: Shell, downloaded: User):
    shell.echo("$ toolkit verify models/Small-Model")
    sound = downloaded.runs("verify", downloaded.target)
    (downloaded.target / WEIGHTS).write_bytes(FILES[WEIGHTS][:-1] + bytes([FILES[WEIGHTS][-1] ^ 1]))
    broken = downloaded.runs("verify", downloaded.target)
    listed = holds("verify", json.loads(downloaded.runs("verify", downloaded.target, "--json").stdout))

    assert (sound.returncode, broken.returncode) == (0, 4), sound.stderr
    assert broken.stdout.startswith(WEIGHTS)
    assert listed["mismatches"] == broken.stdout.splitlines()


@pytest.fixture(scope="module", name="warm_shell")
def _warm_shell(shell: Shell) -> Iterator[Shell]:
    sockets = shell.home / "run"
    sockets.mkdir(mode=0o700)
    warm = Shell(shell.home, shell.echo, XDG_RUNTIME_DIR=str(sockets), TOOLKIT_WARM="on")
    yield warm
    warm.run("toolkit", "down")


def test_up_lets_commands_start_at_once_with_the_same_results(warm_shell: Shell, small_data: Path, tmp_path: Path):
    def training(output: Path) -> tuple[object, ...]:
        return "finetune", small_data, *QUICK, "--recipe", "article", "--epochs", 2, "--output", output

    def made(output: Path) -> tuple[bytes, object]:
        [adapter] = output.glob("latest/checkpoint-*/adapter_model.safetensors")
        report = read_report(output / "latest" / "compare")
        return adapter.read_bytes(), report["probes"]

    up = warm_shell.run("toolkit", "up", "--model", "tiny-qwen2")
    assert up.code == 0, up.err
    assert "tiny-qwen2, loaded" in up.out

    trained = warm_shell.run("toolkit", *training(tmp_path / "warm"))
    assert trained.code == 0, trained.err
    assert trained.err.startswith("warm: pid ")
    compared = warm_shell.run("toolkit", "compare", "--output", tmp_path / "warm")
    assert compared.err.startswith("warm: pid ")
    assert run_here(*training(tmp_path / "cold")).code == 0
    assert run_here("compare", "--output", tmp_path / "cold").code == compared.code
    assert made(tmp_path / "warm") == made(tmp_path / "cold")


def test_down_ends_it_and_commands_start_by_themselves(warm_shell: Shell):
    assert warm_shell.run("toolkit", "down").out.endswith(" ended\n")
    assert warm_shell.run("toolkit", "up", "--status").out == "Nothing is warm; toolkit up starts it.\n"
    assert "warm:" not in warm_shell.run("toolkit", "compare", "v999").err
