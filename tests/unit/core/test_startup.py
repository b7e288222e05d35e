"""The cycle collector: rare while imports go on, as usual afterwards."""

import gc

import pytest

from toolkit.core import startup as collector


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector.atexit, "register", lambda _: None)
    gc.set_threshold(*collector.DEFAULT_THRESHOLDS_GC)
    yield
    gc.set_threshold(*collector.DEFAULT_THRESHOLDS_GC)
    gc.unfreeze()


def test_it_is_rare_until_the_imports_are_done():
    collector.relax_gc()
    assert gc.get_threshold() == collector.RELAXED

    collector.restore_gc()
    assert gc.get_threshold() == collector.DEFAULT_THRESHOLDS_GC
    assert gc.get_freeze_count() > 0


def test_imports_are_done_once_so_that_no_model_is_left_aside():
    collector.relax_gc()
    collector.restore_gc()
    gc.unfreeze()

    collector.restore_gc()

    assert gc.get_freeze_count() == 0


def test_a_process_that_is_not_the_toolkits_is_left_as_it_is():
    collector.restore_gc()

    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == collector.DEFAULT_THRESHOLDS_GC
