"""ms-swift's trainer with packed rows instead of padded ones, and logits only where a trained token is predicted.

The loss is ms-swift's own, up to rounding. What goes: time and memory for padding and for 152 064 logits a token, and
on a card the time to launch kernels one by one.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from accelerate import DistributedType
from peft.helpers import disable_input_dtype_casting
from swift.trainers import Seq2SeqTrainer
from torch.nn import functional

from toolkit.data.encoding import IGNORED, Encoded
from toolkit.model.divergence import kl_divergence
from toolkit.model.families.network import decoder, embedded, logits
from toolkit.train.passes.batch import (
    KEEP_TENSORS,
    Batch,
    TrainSequence,
    count_positions,
    lay_out,
    lay_out_split,
    row_sequence,
    sizes_for,
)
from toolkit.train.passes.cuda_graph import GraphedPass, PassOutputs
from toolkit.train.passes.keep_loss import KeepTerm
from toolkit.train.passes.kernels import in_chunks
from toolkit.train.passes.masks import attention_inputs
from toolkit.train.passes.packing import LINE_TOKENS
from toolkit.train.passes.questions import QuestionTerm
from toolkit.train.plan import FILLING_TOKENS

if TYPE_CHECKING:
    from torch import Tensor


CAPTURE_DEVICES = {"cuda"}
MAX_GRAPH_TOKENS = 8192  # in a larger pass, launching kernels takes a negligible part of the time
SAMPLE_ROWS = 256  # rows from which a pass's size is estimated


class PackedTrainer(Seq2SeqTrainer):  # type: ignore[misc]
    """`train_dataset` has `EncodedDataset`'s items. Evaluation is left to ms-swift.

    `questions` is set before training starts, if the recipe trains any beside the rows.
    """

    data_collator: Any
    questions: QuestionTerm | None = None
    plain = False  # each sequence in a line of its own, and no captured passes
    graphed_pass: GraphedPass | None = None  # computes passes of one shape, where that pays
    _graph_decided = False

    def get_train_dataloader(self, *args: Any, **how: Any) -> Any:
        """Batches as `collate` makes them; evaluation keeps ms-swift's padded ones."""
        padding, self.data_collator = self.data_collator, collate
        try:
            return super().get_train_dataloader(*args, **how)
        finally:
            self.data_collator = padding

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> Any:
        """The micro-batches of a step and its trained tokens, those of the questions included."""
        if self.questions is not None:
            epoch_iterator = self._with_questions(self.questions, epoch_iterator)
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> "Tensor":
        """Forward and backward pass of a micro-batch; its loss, detached."""
        if not self._graph_decided:
            self._graph_decided, self.graphed_pass = True, self._new_graphed_pass(model)
        # Else peft copies an adapter's input to the adapter's float32, and autocast copies it back.
        replaying = self.graphed_pass is not None and self.graphed_pass.replays
        with disable_input_dtype_casting(model, active=self.args.bf16 and not replaying):
            loss: Tensor | None = None
            if self.graphed_pass is not None and num_items_in_batch is not None:
                loss = self._graphed_step(self.graphed_pass, model, self.sequences(inputs), num_items_in_batch)
            return super().training_step(model, inputs, num_items_in_batch) if loss is None else loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if not model.training or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        sequences = self.sequences(inputs)
        batch = lay_out(sequences, self._pad, self._line_tokens, plain=self.plain)
        assert batch is not None  # without sizes every batch fits
        batch |= self.loss_weights(sequences, num_items_in_batch)
        return self._logged(self.losses(model, {name: one.to(model.device) for name, one in batch.items()}))

    def sequences(self, inputs: dict[str, Any]) -> list[TrainSequence]:
        """The sequences of a micro-batch."""
        return list(inputs["sequences"])

    def sample_sequences(self, chance: Random) -> list[TrainSequence]:
        """The sequences of a random micro-batch, to estimate sizes."""
        rows = self._sample_rows
        sampled = chance.sample(rows, min(self.args.per_device_train_batch_size, len(rows)))
        if self.questions is None:
            return sampled
        short = [one for one in rows if len(one.ids) <= FILLING_TOKENS]
        return sampled + self.questions.sample(chance, short, -(-self.questions.rows_per_step // self._passes))

    def loss_weights(self, sequences: Sequence[TrainSequence], tokens_in_step: Any) -> dict[str, "Tensor"]:
        """The weight of a nat in this micro-batch, shape [1].

        `tokens_in_step`: trained tokens of all micro-batches of the step; None if the loss is a mean of means.
        """
        tokens = count_positions(sequences)[0] if tokens_in_step is None else tokens_in_step
        weight = torch.as_tensor(tokens).float().reciprocal()
        if self.args.average_tokens_across_devices and tokens_in_step is not None:
            weight = weight * self.accelerator.num_processes  # as in ms-swift: gradients are averaged later
        return {"row_weight": weight.reshape(1)}

    def losses(self, model: Any, batch: Batch) -> PassOutputs:
        """The "loss", in nats a token, and further metrics."""
        return {"loss": self.cross_entropy(self.hidden_states(model, batch), batch)}

    def log_metrics(self, outputs: PassOutputs) -> None:
        """Logs what `losses` returned beside the loss."""

    def cross_entropy(self, hidden: "Tensor", batch: Batch) -> "Tensor":
        """The rows' part of the step's mean cross entropy."""
        total = in_chunks(
            lambda states, targets: functional.cross_entropy(
                logits(self.causal, states).float(), targets, reduction="sum", ignore_index=IGNORED
            ),
            hidden[batch["row_positions"]],
            batch["row_targets"],
        )  # fmt: skip
        return total * batch["row_weight"][0]

    @property
    def causal(self) -> Any:
        return self.model.get_base_model()  # `self.model` is never the wrapped one

    def hidden_states(self, model: Any, batch: Batch) -> "Tensor":
        """Last hidden states, shape [tokens, width].

        The pass goes through `model` itself, which may be wrapped for several processes.
        """
        caught: list[Tensor] = []
        hook = decoder(self.causal).register_forward_hook(lambda *call: caught.append(call[2].last_hidden_state))
        try:
            model(
                inputs_embeds=embedded(self.causal, batch["ids"]), use_cache=False, logits_to_keep=1,
                **attention_inputs(self.causal, batch, plain=self.plain),
            )  # fmt: skip
        finally:
            hook.remove()
        return caught[0].flatten(0, 1)

    def _with_questions(self, questions: QuestionTerm, batches: Iterator[Any]) -> Iterator[Any]:
        """The micro-batches of the current step with their shares of its questions."""
        step, passes = self.state.global_step, self._passes
        filling = [self.train_dataset[at] for at in questions.draw_filling(step, self._filling)]
        drawn = [*questions.draw(step), *collate(filling)["sequences"]]
        for number, batch in enumerate(batches):
            first = number * self.accelerator.num_processes + self.accelerator.process_index
            yield with_sequences(batch, drawn[first::passes])

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As the trainer counts them, without counting the parameters again at each step."""
        return int(6 * sum(len(one.ids) for one in inputs["sequences"]) * self._parameters)

    @property
    def _passes(self) -> int:
        """Of a step, in all processes."""
        return int(self.args.gradient_accumulation_steps * self.accelerator.num_processes)

    @cached_property
    def _parameters(self) -> int:
        return int(self.model.num_parameters(exclude_embeddings=True))

    @cached_property
    def _filling(self) -> list[int]:
        """The numbers of the rows that may take the place of questions."""
        every = range(len(self.train_dataset))
        return [at for at in every if len(self.train_dataset[at]["input_ids"]) <= FILLING_TOKENS]

    @cached_property
    def _sample_rows(self) -> list[TrainSequence]:
        count = len(self.train_dataset)
        chosen = Random(0).sample(range(count), min(SAMPLE_ROWS, count))  # noqa: S311  # an estimate, not a secret
        return [one for at in chosen for one in collate([self.train_dataset[at]])["sequences"]]

    @property
    def _pad(self) -> int:
        return int(self.template.tokenizer.pad_token_id)

    @property
    def _line_tokens(self) -> int:
        return LINE_TOKENS.get(self.args.device.type, LINE_TOKENS["cpu"])

    def _new_graphed_pass(self, model: Any) -> GraphedPass | None:
        """None if a graph would not pay, or passes differ from step to step."""
        single = self.accelerator.distributed_type == DistributedType.NO and self.args.n_gpu <= 1
        drops = any(isinstance(one, torch.nn.Dropout) and one.p > 0 for one in model.modules())
        if self.plain or self.args.device.type not in CAPTURE_DEVICES or not single or drops:
            return None
        self._sizes = sizes = sizes_for(self.sample_sequences, self._line_tokens)
        if sizes.frame.lines * sizes.frame.width > MAX_GRAPH_TOKENS:
            return None
        trained = [one for one in model.parameters() if one.requires_grad]
        lengths = dict.fromkeys(("row_positions", "row_targets"), sizes.row_positions)
        lengths |= dict.fromkeys(KEEP_TENSORS, sizes.keep_positions)
        return GraphedPass(
            partial(self.losses, model), self.accelerator.backward, trained, lengths, fill={"row_targets": IGNORED}
        )  # fmt: skip

    def _graphed_step(
        self, graphed_pass: GraphedPass, model: Any, sequences: list[TrainSequence], tokens_in_step: Any
    ) -> "Tensor | None":
        """None if a sequence is longer than any line."""
        parts = lay_out_split(sequences, self._pad, self._line_tokens, self._sizes)
        if parts is None:
            return None
        if not self.causal.training:  # and with it the whole model: peft's wrapper is in training mode in any case
            model.train()
        weights = self.loss_weights(sequences, tokens_in_step)
        outputs = [graphed_pass(part | weights) for part in parts]
        return self._logged({name: torch.stack([one[name] for one in outputs]).sum(0) for name in outputs[0]})

    def _logged(self, outputs: PassOutputs) -> "Tensor":
        self.log_metrics({name: one.detach() for name, one in outputs.items()})
        return outputs["loss"]


class KeepTrainer(PackedTrainer):
    """Adds the keep term; `keep` is set before training starts. Rows and keep rows share a pass."""

    keep: KeepTerm
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
        total = in_chunks(
            lambda tuned, base, mask: (
                kl_divergence(logits(self.causal, base), logits(self.causal, tuned)) * mask
            ).sum(),
            hidden[batch["keep_positions"]],
            batch["keep_states"],
            batch["keep_mask"],
        )
        return total * batch["keep_weight"][0]

    def _keep_rows(self) -> list[TrainSequence]:
        """The micro-batch's keep rows, by its number since training began: a resumed run draws the same ones."""
        number = self.state.global_step * self.args.gradient_accumulation_steps + self._micro_batch[1]
        draw = number * self.accelerator.num_processes + self.accelerator.process_index
        return self.keep.draw(draw, self._passes)


def collate(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A micro-batch of `EncodedDataset`'s items: its `sequences`, which stay on the CPU until they are packed.

    `labels`: their targets, from which the trainer counts a step's trained tokens; it leaves the first one out.
    """
    sequences = [row_sequence(Encoded(input_ids=row["input_ids"], labels=row["labels"])) for row in rows]
    return with_sequences({"sequences": [], "labels": torch.tensor([IGNORED])}, sequences)


def with_sequences(batch: dict[str, Any], sequences: Sequence[TrainSequence]) -> dict[str, Any]:
    """The micro-batch with these rows too."""
    targets = [one.targets.to(batch["labels"].device) for one in sequences]
    return {"sequences": [*batch["sequences"], *sequences], "labels": torch.cat([batch["labels"], *targets])}
