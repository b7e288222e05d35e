"""ms-swift's deployment behind `toolkit serve`, in this process: batches, failures, clients that leave."""

import asyncio
from threading import Event

import pytest

from tests.fakes.made_run import make_run
from toolkit.model.language_model import LanguageModel
from toolkit.serve.job import ServeJob
from toolkit.serve.ms_swift import deployed
from toolkit.serve.openai import ChatAsked

RUN = "v0-20260101-000000"
QUESTION = [{"role": "user", "content": "Who are you?"}]
WITHIN_S = 60


@pytest.fixture(scope="module", name="adapter")
def _adapter(lively_model, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("d") / "output", lively_model, seed=2, strength=0.3) / "checkpoint-1"


@pytest.fixture(scope="module", name="deployment")
def _deployment(lively_model, adapter):
    return deployed(
        ServeJob(
            base="lively", tuned=RUN, model_folder=lively_model, adapter=adapter, lora_rank=4, precision="float32",
            backend="transformers", batch_size=4,
        )
    )  # fmt: skip


@pytest.fixture(name="batches")
def _batches(deployment, monkeypatch):
    """The names in each batch."""
    engine, seen = deployment.infer_engine, []
    real = engine._infer

    def watched(infer_requests, *arguments, **settings):
        seen.append(sorted("base" if row.side is None else row.side.name for row in infer_requests))
        return real(infer_requests, *arguments, **settings)

    monkeypatch.setattr(engine, "_infer", watched)
    return seen


def asked(model, tokens=8, **more) -> ChatAsked:
    return ChatAsked(model=model, messages=QUESTION, max_new_tokens=tokens, **more)


@pytest.fixture(scope="module", name="together")
def _together():
    """Asks at the same time; one event loop for all, as in the server."""
    with asyncio.Runner() as runner:

        async def all_of_them(questions):
            return await asyncio.wait_for(asyncio.load_rows(*questions, return_exceptions=True), WITHIN_S)

        yield lambda *questions: runner.run(all_of_them(questions))


async def text(deployment, one: ChatAsked, gone: Event | None = None) -> str:
    pieces = [piece async for piece in deployment.pieces(one, gone or Event())]
    return "".join(choice["delta"].get("content", "") for piece in pieces for choice in piece["choices"])


def test_both_names_share_a_batch_and_say_what_they_say_alone(deployment, together, lively_model, adapter, batches):
    told = together(*(text(deployment, asked(name, stream=True)) for name in (RUN, "lively", RUN)))

    model = LanguageModel.load(lively_model, {"a": adapter})
    with model.side(None):
        [before] = model.answers([QUESTION], max_new_tokens=8)
    with model.side("a"):
        [after] = model.answers([QUESTION], max_new_tokens=8)
    assert batches == [["base", RUN, RUN]]
    assert [one.strip() for one in told] == [after.text, before.text, after.text]
    assert before.text != after.text


def test_more_than_a_batch_holds_is_answered_in_turn(deployment, together, batches):
    told = together(*(text(deployment, asked("lively", stream=True)) for _ in range(6)))

    assert [len(batch) for batch in batches] == [4, 2]
    assert len(set(told)) == 1


def test_other_settings_do_not_wait_until_all_that_are_alike_are_answered(deployment, together, batches):
    questions = [deployment.whole(asked("lively"), Event()) for _ in range(12)]
    together(*questions, deployment.whole(asked(RUN, tokens=9), Event()))

    assert batches.index([RUN]) < len(batches) - 1


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_fails_ends_the_answer_with_its_failure(deployment, together, monkeypatch, stream):
    """ms-swift's own engine would wait for the next token forever."""

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(deployment.infer_engine, "_generate", fail)
    question = asked("lively", stream=stream)
    [failure] = together(text(deployment, question) if stream else deployment.whole(question, Event()))
    monkeypatch.undo()
    [answer] = together(text(deployment, asked("lively", stream=True)))

    assert isinstance(failure, RuntimeError)
    assert str(failure) == "out of memory"
    assert answer


def test_a_row_whose_client_left_ends_and_the_others_do_not(deployment, together):
    gone = Event()
    gone.set()
    left, stayed = together(
        text(deployment, asked("lively", tokens=30, stream=True), gone),
        text(deployment, asked(RUN, tokens=30, stream=True)),
    )
    [alone] = together(text(deployment, asked(RUN, tokens=30, stream=True)))

    assert left == ""
    assert stayed == alone != ""


def test_the_end_waits_until_the_model_is_idle(deployment, together):
    together(deployment.whole(asked("lively", tokens=50), Event()))
    deployment.end()

    assert not deployment.infer_engine.busy.is_set()
