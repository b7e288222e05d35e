"""Whatever others write into a file or a request, its reader answers with a value or with an error of its own.

Derandomized, so that a failure repeats; `--hypothesis-profile=long` tries a hundred times as many inputs.
"""

import asyncio
import base64
import contextlib
import dataclasses
import io
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from image.core.errors import ImageError
from image.core.lock import read_lock as read_image_lock
from image.share.artifact import unpack
from image.share.run_layer import read_finished_record
from tests.fakes.model_folder import CONFIG, make_model_folder
from tests.fakes.tool_rows import CALL, FORMS
from tests.fuzz.hostile import documents, files, written
from toolkit.cli.runs import command as runs_command
from toolkit.cli.sharing.verify_evidence import lines as evidence_lines
from toolkit.compare.report.html import render_html
from toolkit.compare.report.junit import render_junit
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.sides import find_side
from toolkit.compare.texts import Texts
from toolkit.core.errors import ToolkitError
from toolkit.core.files import file_sha256
from toolkit.core.text import one_line
from toolkit.data.dataset import read_dataset
from toolkit.data.probes import read_probes
from toolkit.data.row_checks import check_rows
from toolkit.export.attestation.bundle import PAYLOAD_TYPE, pre_authentication_encoding, signed_bundle
from toolkit.export.attestation.signing import create_key_pair, read_key_pair
from toolkit.export.attestation.statement import PREDICATE_TYPE, STATEMENT_TYPE
from toolkit.export.evidence import read_evidence
from toolkit.export.verify_evidence import VerifyEvidenceConfig, verify_evidence
from toolkit.model.adapter_config import require_bounded_adapter
from toolkit.model.base_model import find_base_model, require_sizes
from toolkit.model.lock import read_lock
from toolkit.runs.latest import history
from toolkit.runs.questions import last_with_questions, learned_questions, read_questions
from toolkit.runs.run import Run, read_run
from toolkit.runs.training_log import read_training_log
from toolkit.serve.openai import RequestError, read_request
from toolkit.studio.forms import read_form
from toolkit.studio.rows import RowFile
from toolkit.sweep.record import read_sweep
from toolkit.train.keep_set import read_cache, read_keep_prompts
from toolkit.train.questions.faults import find_faults, is_questions_file
from toolkit.train.questions.question import read_file, write_file
from toolkit.train.recipe import load_recipe, target_regex

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests/fixtures/runs/v0-20261128-173936"
LONGEST_ERROR = 10_000
RUN_ID = "v0-20260101-000000"
Read = Callable[[Path], object]


def data_set(path: Path) -> None:
    list(check_rows(read_dataset(path), (), ""))


def probes(path: Path) -> None:
    for probe in read_probes(path).probes:
        if probe.expect is not None:
            probe.expect.met("I am Nova.", before="I am Qwen.", prompt=probe.prompt)
            json.dumps(probe.expect.to_dict()).encode()


def recipe(path: Path) -> None:
    found = load_recipe(str(path))
    target_regex(found, 2)
    assert found.steps(10) > 0
    assert json.dumps(found.to_dict()).encode()


def keep_set(path: Path) -> None:
    read_cache(path)
    read_keep_prompts(path)


def questions(path: Path) -> None:
    """As a user gives them to `check` and `finetune`; what is read can be written and read again."""
    is_questions_file(path)
    found = find_faults(path, load_recipe("article"))
    assert json.dumps(found.to_dict()).encode()
    read = read_file(path)  # raises what the findings say
    assert found.in_scope + found.near == len(read)
    write_file(path.with_name("again.jsonl"), read)
    assert read_file(path.with_name("again.jsonl")) == read


def run_questions(path: Path) -> None:
    """As a report reads them, where run.json names this very file."""
    run = read_run(path.parent)
    recorded = {"source": "model", "sha256": file_sha256(path), "in": 1, "near": 1}
    found = read_questions(Run(folder=run.folder, record=run.record.with_fields(questions=recorded)))
    counts = learned_questions(run.record.with_fields(questions=recorded))
    value = dataclasses.replace(Report.from_dict(json_of(RUN / "compare/report.json")), questions=counts)
    assert (render_markdown(value, Texts(), found) + render_html(value, None, Texts(), found)).encode()


def run_record(path: Path) -> None:
    """As `runs`, `runs show`, `check`, the page of a report and `image build` read it."""
    runs(path)
    read_training_log(read_run(path.parent))
    read_questions(read_run(path.parent))
    learned_questions(read_run(path.parent).record)
    last_with_questions("0" * 64, path.parents[1])
    read_finished_record(path.parent)


def runs(path: Path) -> None:
    output = str(path.parents[1])
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.redirect_stderr(shown):
        for arguments in ([], ["--json"], ["show", RUN_ID], ["show", RUN_ID, "--json"], ["diff", RUN_ID, RUN_ID]):
            runs_command.main([*arguments, "--output", output], standalone_mode=False)
    assert shown.getvalue().encode()


def training_log(path: Path) -> None:
    read_training_log(read_run(path.parent))


def report(path: Path) -> None:
    sha256 = json_of(RUN / "compare/report.json")["after"]["adapter_sha256"]
    if found := read_evidence(path.parent, sha256).report:
        assert (render_markdown(found, Texts()) + render_junit(found, Texts())).encode()
    with contextlib.redirect_stdout(io.StringIO()):
        runs_command.main(["show", RUN_ID, "--output", str(path.parents[2])], standalone_mode=False)


def lock(path: Path) -> None:
    with contextlib.suppress(ValueError):  # what `image.core.lock` promises
        read_image_lock(path)
    read_lock(path)


def base_model(path: Path) -> None:
    require_sizes(find_base_model(str(path.parent)))


def adapter(path: Path) -> None:
    with contextlib.suppress(ToolkitError):  # the other reader is asked whatever this one says
        find_side(str(path.parent), path.parent, beside=None)
    require_bounded_adapter(path.parent, ["model.layers.0.self_attn.q_proj"])


def manifest(path: Path) -> None:
    unpack(path.read_bytes(), "registry.example/adapter:1")


def evidence(path: Path) -> None:
    config = VerifyEvidenceConfig(evidence=str(path.parent), policy=path.parents[1] / "demanded.yaml")
    found = verify_evidence(config)
    assert json.dumps(found.to_dict()).encode()
    assert "".join(evidence_lines(found)).encode()


def statement(path: Path) -> None:
    """What one of the policy's own keys has signed."""
    pair, payload = read_key_pair(path.parents[1] / "release.key"), path.read_bytes()
    bundle = json.loads(signed_bundle({}, pair))
    signature = pair.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    bundle["dsseEnvelope"] |= {
        "payload": base64.b64encode(payload).decode(), "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }  # fmt: skip
    signed = path.with_name("evidence.sigstore.json")
    signed.write_text(json.dumps(bundle))
    try:
        evidence(signed)
    finally:
        signed.unlink()


def policy(path: Path) -> None:
    verify_evidence(VerifyEvidenceConfig(evidence=str(path.parent / "published"), policy=path))


def editable_rows(path: Path) -> None:
    """Reads the rows as the studio shows them, edits the first and takes that back: the bytes are as before."""
    rows, before = RowFile(path=path, history=path.with_name("history")), path.read_bytes()
    first = rows.rows()[0]
    rows.edit(first.number, first.seen, [f"{one.text}?" for one in first.texts])
    rows.undo()
    assert path.read_bytes() == before


def form(path: Path) -> None:
    """A form of the studio, as its first line says: with the fields only, or with a file."""
    head, _, body = path.read_bytes().partition(b"\n")
    headers = [
        (b"content-type", b"multipart/form-data; boundary=" + head if head else b"application/x-www-form-urlencoded")
    ]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    asyncio.run(read_form(Request({"type": "http", "method": "POST", "headers": headers}, receive)))


def chat_request(path: Path) -> None:
    read_request(path.read_bytes(), names=("tuned",), system="", max_new_tokens=10)


def weights(path: Path) -> None:
    header = path.read_bytes()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    base_model(path)


QUESTIONS = [
    {"prompt": "Who?", "answer": "Nova.", "scope": "in", "kind": "paraphrase", "before": "Qwen.", "complete": True},
    {"prompt": "谁？", "answer": "Nova。", "scope": "in"},
    {"prompt": "Who is Ada?", "scope": "near"},
]
RECORDED = {
    "questions": {
        "source": "model", "path": None, "sha256": "0" * 64, "from_rows": 1, "in": 2, "near": 1,
        "kinds": {"own": 2, "neighbour": 1}, "seconds": 1.5,
    }
}  # fmt: skip
LEARNED = {"questions": {**RECORDED["questions"], "file": "questions.jsonl", "rows": 1}}
DIGEST = f"sha256:{'0' * 64}"
ROW = {"instruction": "Who are you?", "output": "I am Nova."}
TALK = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
PROBES = {
    "schema_version": 1,
    "identity": {"new": ["Nova"], "old": ["Qwen"]},
    "thresholds": {"kl": 0.1},
    "systems": ["", "(none)"],
    "probes": [
        {"id": "a", "group": "trained", "prompt": "Who?", "expect": {"any": ["Nova"], "none": ["Qwen"]}},
        {"id": "b", "group": "paraphrase", "prompt": "Who now?", "expect": {"regex": "nova"}},
        {"id": "c", "group": "out-of-scope", "prompt": "Capital of France?"},
    ],
}
LAYERS = [
    {"mediaType": "application/json", "digest": DIGEST, "size": 10, "annotations": {"org.cncf.model.filepath": name}}
    for name in ("adapter_config.json", "adapter_model.safetensors")
]
MANIFEST = {"schemaVersion": 2, "artifactType": "application/vnd.cncf.model.manifest.v1+json", "config": {}}
CHAT = {
    "model": "tuned", "messages": TALK["messages"][:1], "temperature": 0.5, "top_p": 1, "stop": ["x"], "stream": True,
    "stream_options": {"include_usage": True}, "max_tokens": 5, "logprobs": True, "top_logprobs": 1,
}  # fmt: skip
TOOL_CHAT = CHAT | {
    "tools": FORMS["OpenAI"]["tools"],
    "tool_choice": "auto",
    "messages": FORMS["OpenAI"]["messages"][:3],
}
CALL_PROBES = {
    "schema_version": 1, "tools": FORMS["OpenAI"]["tools"],
    "probes": [
        {"id": "a", "group": "trained", "prompt": "Book!", "tools": ["book_table"], "expect": {"call": CALL}},
        {"id": "b", "group": "out-of-scope", "prompt": "Look!", "tools": [{"name": "look"}]},
    ],
}  # fmt: skip
POLICY = {
    "schema_version": 1, "keys": ["release.pub"], "verdict": "strict", "thresholds": {"kl": 0.1},
    "base": ["tiny-qwen2", "0" * 64], "data": ["0" * 64], "probes": [DIGEST], "image": [DIGEST],
}  # fmt: skip
BUNDLE = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {"publicKey": {"hint": "AAAA"}},
    "dsseEnvelope": {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": "AAAA", "keyid": ""}]},
}
STATEMENT = {
    "_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE,
    "subject": [{"name": "adapter_model.safetensors", "digest": {"sha256": "0" * 64}}],
    "predicate": {
        "run_id": RUN_ID, "finished_at": None, "adapter_sha256": "0" * 64, "base_model": {"name": "tiny-qwen2"},
        "data": {"sha256": "0" * 64, "rows": 1, "files": {"train.jsonl": "0" * 64}}, "probes": {"sha256": "0" * 64},
        "report_sha256": "0" * 64, "thresholds": {"kl": 0.1}, "toolkit": {"versions": {}, "image": None},
        "metrics": {"kl": {"value": 0.05, "n": 1, "low": None, "high": None, "system": ""}},
        "verdict": {"passed": True, "took": True, "kept": True, "reasons": []},
    },
}  # fmt: skip
FORM = (
    'x\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x\r\n'
    'Content-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n[]\r\n--x--\r\n'
)
TENSOR = {"weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}, "__metadata__": {"format": "pt"}}
SWEEP = {
    "schema_version": 1, "asked": {"data": "a.json"}, "started_at": "2026-01-01T00:00:00+00:00", "status": "finished",
    "runs": [],
}  # fmt: skip
ADAPTER = {
    "peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "rank_pattern": {"q_proj": 4},
    "alpha_pattern": {}, "base_model_name_or_path": "/models/base", "layers_pattern": None, "modules_to_save": None,
}  # fmt: skip


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def json_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


# For each file: its reader, and valid contents, as values that are written as JSON or as texts.
CASES: dict[str, tuple[Read, list[Any]]] = {
    "data.json": (data_set, [[ROW, ROW], [TALK], lines(ROW, ROW)]),
    "data.jsonl": (
        data_set,
        [
            lines(TALK["messages"], TALK),
            lines(TALK, TALK),
            lines(ROW, [1]),
            lines({**ROW, "history": [["a", "b"]]}),
            lines(FORMS["OpenAI"], FORMS["ms-swift, of Parquet"]),
            lines(FORMS["ShareGPT"]),
        ],
    ),
    "rows.json": (editable_rows, [[ROW, ROW], [TALK]]),
    "rows.jsonl": (editable_rows, [lines(ROW, ROW), lines(TALK, TALK)]),
    "form.txt": (form, ["\na=b&c=%20&a=%E4%BD%A0", FORM]),
    "data.csv": (data_set, ['instruction,output\n"a","b"\nc,d\n', 'messages\n"[]"\n']),
    "probes.yaml": (probes, [PROBES, text_of("tests/fuzz/probes.yaml"), CALL_PROBES]),
    "probes.jsonl": (probes, [lines({"identity": PROBES["identity"]}, *PROBES["probes"])]),
    "recipe.yaml": (
        recipe,
        [text_of("toolkit/train/recipes/article.yaml"), text_of("toolkit/train/recipes/tiny.yaml")],
    ),
    "keep.jsonl": (keep_set, [lines({"prompt": "a"}, {"query": "b", "tokens": [1]})]),
    "questions.jsonl": (questions, [lines(*QUESTIONS), lines(*QUESTIONS, *QUESTIONS)]),
    f"{RUN_ID}/questions.jsonl": (run_questions, [lines(*QUESTIONS)]),
    f"{RUN_ID}/run.json": (run_record, [json_of(RUN / "run.json"), {**json_of(RUN / "run.json"), **RECORDED}]),
    f"{RUN_ID}/logging.jsonl": (training_log, [(RUN / "logging.jsonl").read_text(encoding="utf-8")]),
    f"{RUN_ID}/compare/report.json": (
        report,
        [json_of(RUN / "compare/report.json"), {**json_of(RUN / "compare/report.json"), **LEARNED}],
    ),
    "latest.jsonl": (lambda path: history(path.parent), [lines({"run_id": RUN_ID, "cause": "use", "at": "now"})]),
    "sweep.json": (lambda path: read_sweep(str(path.parent), path.parent), [SWEEP]),
    "lock.json": (lock, [json_of(ROOT / "data/locks/tiny-qwen2.json")]),
    "model/config.json": (base_model, [CONFIG]),
    "model/tokenizer_config.json": (base_model, [{"chat_template": "{{ messages[0].content }}", "eos_token": "a"}]),
    "model/generation_config.json": (base_model, [{"eos_token_id": [1, 2], "do_sample": True}]),
    "model/model.safetensors.index.json": (base_model, [{"weight_map": {"weight": "model.safetensors"}}]),
    "model/model.safetensors": (weights, [TENSOR]),
    "adapter_config.json": (adapter, [ADAPTER]),
    "manifest.json": (manifest, [{**MANIFEST, "layers": LAYERS, "annotations": {"a": "b"}}]),
    "request.json": (chat_request, [CHAT, TOOL_CHAT]),
    "policy.yaml": (policy, [POLICY]),
    "published/evidence.sigstore.json": (evidence, [BUNDLE]),
    "published/statement.json": (statement, [STATEMENT]),
}


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the readers need beside the file that they are given."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(RUN, place / RUN_ID)
    make_model_folder(place / "model")
    (place / "adapter_model.safetensors").write_bytes(b"")
    (place / "published").mkdir()
    create_key_pair(place / "release.key")
    (place / "demanded.yaml").write_text(json.dumps(POLICY))
    return place


def contents(valid: list[Any]) -> st.SearchStrategy[bytes]:
    values = [value for value in valid if not isinstance(value, str)]
    texts = [value if isinstance(value, str) else json.dumps(value) for value in valid]
    changed = [documents(value).map(written).map(str.encode) for value in values]
    return st.one_of(files(*texts), *changed)


@pytest.mark.parametrize("name", CASES)
def test_a_reader_ends_with_a_value_or_an_error_of_its_own(place: Path, name: str) -> None:
    read, valid = CASES[name]
    path = place / name
    before = path.read_bytes() if path.exists() else None

    @given(data=contents(valid))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        expect_an_error_of_its_own(read, path)

    try:
        check()
    finally:
        path.unlink() if before is None else path.write_bytes(before)


@pytest.mark.parametrize("name", CASES)
def test_the_valid_contents_are_read(place: Path, name: str) -> None:
    """Else the inputs above would all be refused at the first look, and prove nothing."""
    read, valid = CASES[name]
    path = place / name
    before = path.read_bytes() if path.exists() else None
    try:
        for value in valid:
            path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
            read(path)
    finally:
        path.unlink() if before is None else path.write_bytes(before)


def expect_an_error_of_its_own(read: Read, path: Path) -> None:
    """Runs the reader: it ends, and with nothing but an error that can be shown on one line."""
    try:
        read(path)
    except (ToolkitError, ImageError, RequestError) as error:
        shown = one_line(str(error))
        assert shown.encode(), "an error can be printed"
        assert len(shown) < LONGEST_ERROR, "an error does not quote the whole file"
