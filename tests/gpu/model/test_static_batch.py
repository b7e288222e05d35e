"""Captured steps: in float32 the plain method's answers, on every side; a refused capture is reported and harmless."""

import pytest
import torch

from tests.e2e.model.test_static_decoding import PROMPTS, asked, assert_same
from tests.fakes.made_run import make_adapter, make_lively
from toolkit.compare.discovery.permuted import Permuted
from toolkit.model.decoding.static_batch import StaticBatch
from toolkit.model.device import find_device, reset_peak_memory
from toolkit.model.language_model import LanguageModel
from toolkit.model.loading import load_pretrained

SIDES = ("one", None, "two", "one@0.5")


@pytest.fixture(scope="module", name="folders")
def _folders(micro_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lively")
    base = make_lively(folder / "base", micro_model)
    return base, {
        name: make_adapter(folder / name, base, seed=seed, strength=0.3) for seed, name in ((2, "one"), (3, "two"))
    }


@pytest.fixture(name="replays")
def _replays(monkeypatch):
    """One entry a replay of a graph."""
    replayed = []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: replayed.append(graph) or replay(graph))
    return replayed


def loaded(folders, precision="float32", *, static=None):
    base, adapters = folders
    model = LanguageModel.over(*load_pretrained(base, find_device(precision)), adapters)
    model.decoder.static = static
    return model


def test_each_side_answers_as_by_the_plain_method(folders, replays):
    plain, captured = loaded(folders, static=False), loaded(folders)
    wanted = {side: asked(plain, side) for side in SIDES}
    assert replays == []

    for side in (*SIDES, *reversed(SIDES)):
        assert_same(asked(captured, side), wanted[side])

    assert captured.decoder.refused is None
    assert len(set(replays)) == len(SIDES)  # each is captured once


def test_other_rows_and_lengths_are_captured_over_the_same_memory(folders, replays):
    plain, captured = loaded(folders, static=False), loaded(folders)
    for prompts, tokens in ((PROMPTS[:3], 9), (PROMPTS, 300), (PROMPTS[:5], 20), (PROMPTS, 24), (PROMPTS[:3], 9)):
        how = {"prompts": prompts, "max_new_tokens": tokens}
        assert_same(asked(captured, **how), asked(plain, **how))
    assert replays


def test_shuffled_weights_are_captured_again(folders, replays):
    plain, captured = loaded(folders, static=False), loaded(folders)
    own = asked(captured, "one")
    with Permuted(captured, "one").on(), Permuted(plain, "one").on():
        shuffled = asked(captured, "one")
        assert_same(shuffled, asked(plain, "one"))

    assert_same(asked(captured, "one"), own)
    assert [one.tokens for one in shuffled] != [one.tokens for one in own]
    assert replays


def test_a_refused_capture_is_reported_and_the_plain_method_goes_on(folders, replays, monkeypatch):
    plain, refused, events = loaded(folders, static=False), loaded(folders), []
    step = StaticBatch._step

    def step_that_waits_for_the_card(batch, network):
        step(batch, network)
        torch.cuda.synchronize()  # not permitted while a stream is being captured

    monkeypatch.setattr(StaticBatch, "_step", step_that_waits_for_the_card)
    with refused.side("one"):
        found = refused.answers(PROMPTS, max_new_tokens=24, batch_size=8, listener=events.append)

    assert_same(found, asked(plain, "one"))
    assert replays == []
    assert [event.detail.startswith("slower, without CUDA graphs: ") for event in events] == [True, True]
    assert not refused.decoder.is_static(refused.model)

    reset_peak_memory()
    assert torch.cuda.memory_reserved() - torch.cuda.memory_allocated() < 64 * 2**20  # what it cached can be freed


def test_answers_in_bfloat16_end_well_and_release_frees_their_memory(folders, replays):
    model = loaded(folders, "bfloat16")
    reset_peak_memory()
    before = torch.cuda.memory_reserved()

    answers = asked(model, "one")
    model.decoder.release()
    reset_peak_memory()

    assert replays
    assert all(0 < len(one.tokens) <= 24 for one in answers)
    assert torch.cuda.memory_reserved() <= before + 64 * 2**20  # a workspace of the side stream's
