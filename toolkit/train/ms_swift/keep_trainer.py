"""ms-swift's trainer with packed rows, and the keep term beside them."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from toolkit.model.divergence import kl_divergence
from toolkit.model.families.network import logits
from toolkit.train.ms_swift.trainer import PackedTrainer
from toolkit.train.passes.batch import Batch, TrainSequence, count_positions
from toolkit.train.passes.cuda_graph import PassOutputs
from toolkit.train.passes.keep_loss import KeepTerm
from toolkit.train.passes.kernels import in_chunks

if TYPE_CHECKING:
    from torch import Tensor


class KeepTrainer(PackedTrainer):
    """Adds the keep term; `keep` is set before training starts. Rows and keep rows share a pass."""

    keep: KeepTerm
    outputs = ("loss", "cross_entropy", "kl")
    _micro_batch = (-1, 0)  # the current step, and the number of the micro-batch in it

    def training_step(self, *inputs: Any, **more: Any) -> "Tensor":
        step, number = self._micro_batch
        self._micro_batch = (self.state.global_step, number + 1 if step == self.state.global_step else 0)
        return super().training_step(*inputs, **more)

    def sequences(self, inputs: dict[str, Any]) -> list[TrainSequence]:
        return super().sequences(inputs) + self._keep_rows()

    def sample_sequences(self, chance: Random) -> list[TrainSequence]:
        return super().sample_sequences(chance) + self.keep.sample(chance, self._passes)

    def loss_weights(self, sequences: Sequence[TrainSequence], tokens_in_step: Any) -> dict[str, "Tensor"]:
        keep_weight = torch.tensor([1 / count_positions(sequences)[1]])
        return super().loss_weights(sequences, tokens_in_step) | {"keep_weight": keep_weight}

    def losses(self, model: Any, batch: Batch) -> PassOutputs:
        hidden = self.hidden_states(model, batch)
        cross_entropy = self.cross_entropy(hidden, batch)
        kl = self._kl(hidden, batch)
        loss = cross_entropy + self.keep.weight * kl / self.args.gradient_accumulation_steps
        return {"loss": loss, "cross_entropy": cross_entropy, "kl": kl}

    def log_metrics(self, outputs: PassOutputs) -> None:
        # A micro-batch's cross entropy is a part of the step's; the logged mean over micro-batches undoes that.
        cross_entropy = outputs["cross_entropy"] * self.args.gradient_accumulation_steps
        self.custom_metrics["train"]["cross_entropy"].update(cross_entropy)
        self.custom_metrics["train"]["kl"].update(outputs["kl"])

    def _kl(self, hidden: "Tensor", batch: Batch) -> "Tensor":
        """KL(base || tuned) in nats a token."""
        if "keep_positions" not in batch:  # this process has none of them
            return hidden.sum() * 0
        total = in_chunks(
            lambda tuned, base, mask: (
                kl_divergence(logits(self.causal, base), logits(self.causal, tuned)) * mask
            ).sum(),
            hidden[batch["keep_positions"]],
            batch["keep_states"],
            batch["keep_mask"],
            size=self.chunk,
        )
        return total * batch["keep_weight"][0]

    def _keep_rows(self) -> list[TrainSequence]:
        """The micro-batch's keep rows, by its number since training began: a resumed run draws the same ones."""
        number = self.state.global_step * self.args.gradient_accumulation_steps + self._micro_batch[1]
        return self.keep.draw(number, self._passes)
