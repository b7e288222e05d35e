"""Every family on a card, in float32: captured steps and fused norms give the losses of a padded batch."""

import pytest

from tests.fakes.family_models import KINDS, UNKNOWN, make_family_model
from tests.fakes.family_training import MAX_TOKENS, ROWS, padded_loss, train
from toolkit.train import ms_swift
from toolkit.train.job import KeepJob

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_captured_steps_begin_at_the_loss_of_a_padded_batch_and_lower_it(kind, tmp_path):
    folder = make_family_model(tmp_path / "model", kind)
    asked = [(f"Tell me about {number}. " * number, "") for number in range(1, 9)]
    keep = KeepJob(prompts=asked, weight=1.0, rows_per_step=8, max_new_tokens=8, cache=tmp_path / "cache")

    result = train(folder, tmp_path / "run", keep, epochs=6)

    expected = padded_loss(folder, ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS))
    assert result.cuda_graph, result.cuda_graph_refused
    assert result.loss[0] == pytest.approx(expected, rel=1e-3)
    assert result.loss[-1] < result.loss[0]


# Nemotron's norms cast to autocast's float16 on a card, whatever the model computes in (docs/models.md).
@pytest.mark.parametrize("kind", [kind for kind in UNKNOWN if kind.name != "nemotron"], ids=lambda kind: kind.name)
def test_an_architecture_that_the_table_lacks_trains_without_a_graph(kind, tmp_path):
    folder = make_family_model(tmp_path / "model", kind)

    result = train(folder, tmp_path / "run", epochs=4)

    assert not result.cuda_graph
    assert result.loss[0] == pytest.approx(
        padded_loss(folder, ms_swift.encoder(folder, MAX_TOKENS).encode(ROWS)), rel=1e-3
    )
    assert result.loss[-1] < result.loss[0]
