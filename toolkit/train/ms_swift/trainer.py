"""ms-swift's trainer, with rows laid end to end instead of padded, and logits where a token is predicted alone.

The loss is ms-swift's own, to rounding; what goes is the time and memory of padding and of 152 064 logits a token, and
on a card the time to start kernels one by one.
"""

from collections.abc import Sequence
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from accelerate import DistributedType
from peft.helpers import disable_input_dtype_casting
from swift.trainers import Seq2SeqTrainer
from torch.nn import functional

from toolkit.data.encoding import IGNORED
from toolkit.model.divergence import kl_divergence
from toolkit.train.keep_set import draw_rows
from toolkit.train.passes.batch import (
    KEEP_TENSORS,
    Batch,
    TrainSequence,
    counted,
    lay_out,
    lay_out_split,
    row_piece,
    row_pieces,
    sizes_for,
)
from toolkit.train.passes.cuda_graph import GraphedPass, PassOutputs
from toolkit.train.passes.keep_loss import KeepTerm
from toolkit.train.passes.kernels import in_chunks
from toolkit.train.passes.packing import LINE_TOKENS, visibility_mask

if TYPE_CHECKING:
    from torch import Tensor


CAPTURING = {"cuda"}
FEW_TOKENS = 8192  # up to here starting kernels takes a good part of a pass
SAMPLE = 256  # rows that tell how long rows are


class PackedTrainer(Seq2SeqTrainer):  # type: ignore[misc]
    """Evaluation is left to ms-swift."""

    captured: GraphedPass | None = None  # what computes passes of one shape, where that pays
    _tried = False

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> "Tensor":
        """Forward and backward pass of a micro-batch; its loss, detached."""
        if not self._tried:
            self._tried, self.captured = True, self._capturing(model)
        # Else peft copies what comes into an adapter to the adapter's float32, and autocast copies it back.
        replaying = self.captured is not None and self.captured.replays
        with disable_input_dtype_casting(model, active=self.args.bf16 and not replaying):
            loss: Tensor | None = None
            if self.captured is not None and num_items_in_batch is not None:
                loss = self._graphed_step(self.captured, model, self.pieces(inputs), num_items_in_batch)
            return super().training_step(model, inputs, num_items_in_batch) if loss is None else loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if not model.training or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        pieces = self.pieces(inputs)
        batch = lay_out(pieces, self._pad, self._line_tokens)
        assert batch is not None  # whatever its size
        batch |= self.shares(pieces, num_items_in_batch)
        return self._tell(self.losses(model, {name: one.to(model.device) for name, one in batch.items()}))

    def pieces(self, inputs: dict[str, Any]) -> list[TrainSequence]:
        """What a micro-batch is made of."""
        return row_pieces(inputs)

    def drawn_pieces(self, chance: Random) -> list[TrainSequence]:
        """What another micro-batch may be made of."""
        rows = self._some_rows
        return chance.sample(rows, min(self.args.per_device_train_batch_size, len(rows)))

    def shares(self, pieces: Sequence[TrainSequence], words_in_step: Any) -> dict[str, "Tensor"]:
        """What a nat weighs in a micro-batch of these pieces, shape [1].

        `words_in_step`: trained tokens of all micro-batches of the step; None where the loss is a mean of means.
        """
        words = counted(pieces)[0] if words_in_step is None else words_in_step
        share = torch.as_tensor(words).cpu().float().reciprocal()
        if self.args.average_tokens_across_devices and words_in_step is not None:
            share = share * self.accelerator.num_processes  # as ms-swift does: gradients are averaged later
        return {"word_share": share.reshape(1)}

    def losses(self, model: Any, batch: Batch) -> PassOutputs:
        """The "loss", in nats a token, and what else is worth telling."""
        return {"loss": self.entropy(self.hidden(model, batch), batch)}

    def tell(self, told: PassOutputs) -> None:
        """Has it logged, beside the loss."""

    def entropy(self, hidden: "Tensor", batch: Batch) -> "Tensor":
        """The rows' share of the step's mean cross entropy."""
        summed = in_chunks(
            lambda states, words: functional.cross_entropy(
                self.head(states).float(), words, reduction="sum", ignore_index=IGNORED
            ),
            hidden[batch["at"]],
            batch["words"],
        )  # fmt: skip
        return summed * batch["word_share"][0]

    @property
    def head(self) -> Any:
        return self.model.get_base_model().lm_head  # `self.model` is never the wrapped one

    def hidden(self, model: Any, batch: Batch) -> "Tensor":
        """Last hidden states, shape [tokens, width].

        The pass goes through `model` itself, which may be wrapped for several processes.
        """
        caught: list[Tensor] = []
        decoder = self.model.get_base_model().model
        # Not through the embedding module: gradient checkpointing hooks a gradient onto what comes out of it, and every
        # layer below the lowest adapter would be computed backwards for nothing.
        embedded = functional.embedding(batch["ids"], decoder.get_input_embeddings().weight)
        hook = decoder.register_forward_hook(lambda *call: caught.append(call[2].last_hidden_state))
        try:
            model(
                inputs_embeds=embedded, attention_mask=visibility_mask(batch["owner"], batch["before"]),
                position_ids=batch["positions"], use_cache=False, logits_to_keep=1,
            )  # fmt: skip
        finally:
            hook.remove()
        return caught[0].flatten(0, 1)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As the trainer counts them, without counting the parameters again at each step."""
        return int(6 * inputs["input_ids"].numel() * self._parameters)

    @cached_property
    def _parameters(self) -> int:
        return int(self.model.num_parameters(exclude_embeddings=True))

    @cached_property
    def _some_rows(self) -> list[TrainSequence]:
        count = len(self.train_dataset)
        chosen = Random(0).sample(range(count), min(SAMPLE, count))  # noqa: S311  # an estimate, not a secret
        rows = (self.train_dataset[at] for at in chosen)
        return [row_piece(torch.tensor(row["input_ids"]), torch.tensor(row["labels"])) for row in rows]

    @property
    def _pad(self) -> int:
        return int(self.template.tokenizer.pad_token_id)

    @property
    def _line_tokens(self) -> int:
        return LINE_TOKENS.get(self.args.device.type, LINE_TOKENS["cpu"])

    def _capturing(self, model: Any) -> GraphedPass | None:
        """None where a graph would not pay, or a pass is not the same from step to step."""
        alone = self.accelerator.distributed_type == DistributedType.NO and self.args.n_gpu <= 1
        drops = any(isinstance(one, torch.nn.Dropout) and one.p > 0 for one in model.modules())
        if self.args.device.type not in CAPTURING or not alone or drops:
            return None
        self._sizes = sizes = sizes_for(self.drawn_pieces, self._line_tokens)
        if sizes.frame.lines * sizes.frame.width > FEW_TOKENS:
            return None
        trained = [one for one in model.parameters() if one.requires_grad]
        lengths = dict.fromkeys(("at", "words"), sizes.words) | dict.fromkeys(KEEP_TENSORS, sizes.kept)
        return GraphedPass(
            partial(self.losses, model), self.accelerator.backward, trained, lengths, filling={"words": IGNORED}
        )  # fmt: skip

    def _graphed_step(
        self, captured: GraphedPass, model: Any, pieces: list[TrainSequence], words: Any
    ) -> "Tensor | None":
        """None where a piece is longer than any line."""
        parts = lay_out_split(pieces, self._pad, self._line_tokens, self._sizes)
        if parts is None:
            return None
        if not self.head.training:  # it, and all beside it: peft's own shell says that it is in any case
            model.train()
        shares = self.shares(pieces, words)
        told = [captured(part | shares) for part in parts]
        return self._tell({name: torch.stack([one[name] for one in told]).sum(0) for name in told[0]})

    def _tell(self, told: PassOutputs) -> "Tensor":
        self.tell({name: one.detach() for name, one in told.items()})
        return told["loss"]


class KeepTrainer(PackedTrainer):
    """`keep` is set before training starts. Rows and keep rows share a pass."""

    keep: KeepTerm
    _at = (-1, 0)  # the step under way, and its micro-batch

    def training_step(self, *inputs: Any, **more: Any) -> "Tensor":
        step, micro = self._at
        self._at = (self.state.global_step, micro + 1 if step == self.state.global_step else 0)
        return super().training_step(*inputs, **more)

    def pieces(self, inputs: dict[str, Any]) -> list[TrainSequence]:
        return super().pieces(inputs) + self._drawn()

    def drawn_pieces(self, chance: Random) -> list[TrainSequence]:
        return super().drawn_pieces(chance) + chance.choices(self.keep.rows, k=self._keep_rows_per_pass)

    def shares(self, pieces: Sequence[TrainSequence], words_in_step: Any) -> dict[str, "Tensor"]:
        kept_share = torch.tensor([1 / counted(pieces)[1]])
        return super().shares(pieces, words_in_step) | {"kept_share": kept_share}

    def losses(self, model: Any, batch: Batch) -> PassOutputs:
        hidden = self.hidden(model, batch)
        entropy = self.entropy(hidden, batch)
        drift = self._drift(hidden, batch)
        loss = entropy + self.keep.weight * drift / self.args.gradient_accumulation_steps
        return {"loss": loss, "cross_entropy": entropy, "kl": drift}

    def tell(self, told: PassOutputs) -> None:
        # A micro-batch's entropy is a share of the whole step's; the logged mean over micro-batches undoes that.
        entropy = told["cross_entropy"] * self.args.gradient_accumulation_steps
        self.custom_metrics["train"]["cross_entropy"].update(entropy)
        self.custom_metrics["train"]["kl"].update(told["kl"])

    def _drift(self, hidden: "Tensor", batch: Batch) -> "Tensor":
        """KL(base || tuned) in nats a token."""
        summed = in_chunks(
            lambda tuned, base, counts: (kl_divergence(self.head(base), self.head(tuned)) * counts).sum(),
            hidden[batch["kept_at"]],
            batch["kept_base"],
            batch["kept"],
        )
        return summed * batch["kept_share"][0]

    def _drawn(self) -> list[TrainSequence]:
        """The micro-batch's share, by its number since training began: resumed or not, the same rows."""
        number = self.state.global_step * self.args.gradient_accumulation_steps + self._at[1]
        draw = number * self.accelerator.num_processes + self.accelerator.process_index
        return [
            self.keep.rows[at] for at in draw_rows(len(self.keep.rows), draw, self._keep_rows_per_pass, self.keep.seed)
        ]

    @property
    def _keep_rows_per_pass(self) -> int:
        return int(
            max(1, self.keep.rows_a_step // (self.args.gradient_accumulation_steps * self.accelerator.num_processes))
        )
