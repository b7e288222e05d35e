"""ms-swift's trainer with packed rows instead of padded ones, and logits only where a trained token is predicted.

The loss is ms-swift's own, up to rounding. What goes: time and memory for padding and for 152 064 logits a token, and
on a card the time to launch kernels one by one.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from peft.helpers import disable_input_dtype_casting
from swift.trainers import Seq2SeqTrainer

from toolkit.data.encoding import IGNORED
from toolkit.model.cards.group import ALONE, Group
from toolkit.model.families.host_embedding import is_on_host
from toolkit.model.families.network import decoder, embedded
from toolkit.train.passes.batch import (
    Batch,
    TrainSequence,
    collate,
    count_positions,
    drawn,
    lacks_a_kind,
    lay_out,
    lay_out_split,
    share,
    with_sequences,
)
from toolkit.train.passes.cuda_graph import GraphedPass, PassOutputs
from toolkit.train.passes.end_to_end import attention_by_ends, moved, with_spans
from toolkit.train.passes.fused_parts import NONE, Parts, cross_entropy, fused_layers, fused_parts
from toolkit.train.passes.kernels import POSITIONS_PER_CHUNK, drops
from toolkit.train.passes.loss_scale import require_progress, unscale, with_scale
from toolkit.train.passes.masks import attention_inputs
from toolkit.train.passes.order import random_pass
from toolkit.train.passes.packing import END_TO_END, LINE_TOKENS
from toolkit.train.passes.questions import QuestionTerm
from toolkit.train.passes.shape import Shape, attention_captured, choose_shape
from toolkit.train.planning.memory import FILLING_TOKENS

if TYPE_CHECKING:
    from torch import Tensor

CAPTURE_DEVICES = {"cuda"}
SAMPLE_ROWS = 256  # of which those in the place of questions are drawn, to estimate a pass's size


class PackedTrainer(Seq2SeqTrainer):  # type: ignore[misc]
    """`train_dataset` has `EncodedDataset`'s items. Evaluation is left to ms-swift.

    `questions` and `thoughts` are set before training starts, if the recipe trains any beside the rows; `group`, if
    there are several processes: each goes through the same rows, and computes its share of every micro-batch.
    """

    data_collator: Any
    group: Group = ALONE
    outputs: tuple[str, ...] = ("loss",)  # of a pass, see `losses`
    questions: QuestionTerm | None = None
    thoughts: QuestionTerm | None = None  # rows with thoughts, of which a step takes no more than there are
    plain = False  # each sequence in a line of its own, and no captured passes
    shape = Shape()  # of passes, known at the first one
    evaluates = False  # whether it asks the model during the training, other than by its own evaluation
    fused: Parts = NONE  # what long passes compute as one kernel each
    chunk = POSITIONS_PER_CHUNK  # positions whose logits exist at once
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
        """The micro-batches of a step and its trained tokens, those of the questions and thoughts included."""
        if self.questions is not None or self.thoughts is not None:
            epoch_iterator = self._with_drawn(epoch_iterator)
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> "Tensor":
        """Forward and backward pass of a micro-batch; its loss, detached."""
        if not self._graph_decided:
            self._graph_decided, self.graphed_pass = True, self._new_graphed_pass(model)
        # Else peft copies an adapter's input to the adapter's float32, and autocast copies it back.
        replaying = self.graphed_pass is not None and self.graphed_pass.replays
        narrow = self.args.bf16 or self.loss_scale is not None
        casting = disable_input_dtype_casting(model, active=narrow and not replaying)
        with casting, fused_layers(self.causal, self.fused):
            loss: Tensor | None = None
            if self.graphed_pass is not None and num_items_in_batch is not None:
                loss = self._graphed_step(self.graphed_pass, model, self.sequences(inputs), num_items_in_batch)
            if loss is None:
                with attention_by_ends(self.causal.config, active=self.shape.long):
                    loss = super().training_step(model, inputs, num_items_in_batch)
        if self.accelerator.sync_gradients:  # the last pass of a step
            self.group.add_up_gradients([one for one in model.parameters() if one.requires_grad])
            if self.loss_scale is not None:
                unscale(self.loss_scale, self.optimizer)
        return loss

    @property
    def loss_scale(self) -> Any:
        """Of float16, by which accelerate multiplies a loss; None in any other precision."""
        return self.accelerator.scaler

    def log(self, logs: dict[str, float], *more: Any, **how: Any) -> None:
        if self.loss_scale is not None and "loss" in logs:
            logs = with_scale(logs, self.loss_scale)
        super().log(logs, *more, **how)
        if self.loss_scale is not None:
            require_progress(self.state.log_history)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if not model.training or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        sequences = self.sequences(inputs)
        own, weights = self._own(sequences), self.loss_weights(sequences, num_items_in_batch)
        if not own and not self.group.shares:  # nothing to compute, but the others wait for this one's gradients
            return self._logged(self._no_outputs()).requires_grad_()
        if not own:  # a pass that weighs nothing: the others need this one's part of every layer
            own, weights = sequences[:1], {name: torch.zeros_like(one) for name, one in weights.items()}
        batch = lay_out(own, self._pad, self._line_tokens, plain=self.plain)
        assert batch is not None  # without sizes every batch fits
        batch = self._looked_up(with_spans(batch) if self.shape.long else batch)
        outputs = self.losses(model, moved(batch | weights, model.device))
        logged = self._logged(outputs)
        return outputs["loss"] + (logged - outputs["loss"].detach())  # every process's sum, and this one's gradient

    def sequences(self, inputs: dict[str, Any]) -> list[TrainSequence]:
        """The sequences of a micro-batch, of which each process computes its share."""
        return list(inputs["sequences"])

    def sample_sequences(self, chance: Random) -> list[TrainSequence]:
        """The rows of one of the training's micro-batches, and others as it may have beside them, to estimate sizes."""
        size, seed, epochs = self.args.per_device_train_batch_size, self.args.data_seed, self.state.num_train_epochs
        chosen = random_pass(len(self.train_dataset), size, seed, epochs, chance)
        sampled: list[TrainSequence] = collate([self.train_dataset[at] for at in chosen])["sequences"]
        short = [one for one in self._sample_rows if len(one.ids) <= FILLING_TOKENS] if self.questions else []
        for term, filling in ((self.questions, short), (self.thoughts, [])):
            if term is not None:
                sampled = sampled + term.sample(chance, filling, -(-term.rows_per_step // self._passes))
        return sampled

    def loss_weights(self, sequences: Sequence[TrainSequence], tokens_in_step: Any) -> dict[str, "Tensor"]:
        """The weight of a nat in this micro-batch, shape [1].

        `tokens_in_step`: trained tokens of all micro-batches of the step; None if the loss is a mean of means.
        """
        tokens = count_positions(sequences)[0] if tokens_in_step is None else tokens_in_step
        return {"row_weight": torch.as_tensor(tokens).float().reciprocal().reshape(1)}

    def losses(self, model: Any, batch: Batch) -> PassOutputs:
        """The "loss", in nats a token, and further metrics: this process's parts of them, which add up."""
        return {"loss": self.cross_entropy(self.hidden_states(model, batch), batch)}

    def log_metrics(self, outputs: PassOutputs) -> None:
        """Logs what `losses` returned beside the loss."""

    def cross_entropy(self, hidden: "Tensor", batch: Batch) -> "Tensor":
        """The rows' part of the step's mean cross entropy."""
        if "row_positions" not in batch:  # this process has keep rows only
            return hidden.sum() * 0
        states, targets = hidden[batch["row_positions"]], batch["row_targets"]
        total = cross_entropy(self.causal, states, targets, self.fused, self.chunk)
        return total * batch["row_weight"][0]

    @property
    def causal(self) -> Any:
        return self.model.get_base_model()  # `self.model` is never the wrapped one

    def hidden_states(self, model: Any, batch: Batch) -> "Tensor":
        """Last hidden states, shape [tokens, width].

        The pass goes through `model` itself, which may be wrapped for several processes.
        """
        caught: list[Tensor] = []
        states = batch["embedded"] if "embedded" in batch else embedded(self.causal, batch["ids"])
        hook = decoder(self.causal).register_forward_hook(lambda *call: caught.append(call[2].last_hidden_state))
        try:
            model(
                inputs_embeds=states, use_cache=False, logits_to_keep=1,
                **attention_inputs(self.causal, batch, plain=self.plain),
            )  # fmt: skip
        finally:
            hook.remove()
        return caught[0].flatten(0, 1)

    def _with_drawn(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The micro-batches of the current step with their shares of its questions and thoughts."""
        step, passes = self.state.global_step, self._passes
        drawn: list[TrainSequence] = []
        if self.questions is not None:
            filling = [self.train_dataset[at] for at in self.questions.draw_filling(step, self._filling)]
            drawn += [*self.questions.draw(step), *collate(filling)["sequences"]]
        if self.thoughts is not None:
            drawn += self.thoughts.draw(step)
        for number, batch in enumerate(batches):
            yield with_sequences(batch, drawn[number::passes])

    def evaluation_loop(self, *inputs: Any, **how: Any) -> Any:
        """The first process evaluates: what follows from it must be the same in all of them."""
        return self.group.first(partial(super().evaluation_loop, *inputs, **how))

    def is_world_process_zero(self) -> bool:
        return self.group.rank == 0

    def _save_checkpoint(self, *inputs: Any, **how: Any) -> None:
        if self.is_world_process_zero():
            super()._save_checkpoint(*inputs, **how)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As the trainer counts them, without counting the parameters again at each step."""
        return int(6 * sum(len(one.ids) for one in inputs["sequences"]) * self._parameters)

    @property
    def _passes(self) -> int:
        """Micro-batches of a step."""
        return int(self.args.gradient_accumulation_steps)

    @cached_property
    def _parameters(self) -> int:
        return int(self.model.num_parameters(exclude_embeddings=True))

    @cached_property
    def _filling(self) -> list[int]:
        """The numbers of the rows that may take the place of questions."""
        every = range(len(self.train_dataset))
        return [at for at in every if self.train_dataset.length(at) <= FILLING_TOKENS]

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
        return END_TO_END if self.shape.long else LINE_TOKENS.get(self.args.device.type, LINE_TOKENS["cpu"])

    def _new_graphed_pass(self, model: Any) -> GraphedPass | None:
        """None if a graph would not pay, or passes differ from step to step."""
        if self.plain or self.group.shares or self.args.device.type not in CAPTURE_DEVICES or self.args.n_gpu > 1:
            return None
        draws = drawn(lambda chance: self._own(self.sample_sequences(chance)))
        evaluates, rows = self.evaluates or self.args.eval_strategy != "no", self.train_dataset
        self.shape = choose_shape(self.causal, draws, self._line_tokens, rows.longest, evaluates=evaluates)
        self.fused = fused_parts(self.causal) if self.shape.long else NONE
        if (sizes := self.shape.captured) is None or drops(model):
            return None
        trained = [one for one in model.parameters() if one.requires_grad]
        fill, backward = {"row_targets": IGNORED}, self.accelerator.backward
        return GraphedPass(partial(self.losses, model), backward, trained, sizes.lengths, fill)

    def _graphed_step(
        self, graphed_pass: GraphedPass, model: Any, sequences: list[TrainSequence], tokens_in_step: Any
    ) -> "Tensor | None":
        """None if a sequence is longer than any line, or this process's share lacks a kind of row."""
        own = self._own(sequences)
        if self.shape.captured is None or lacks_a_kind(own, sequences):
            return None
        parts = lay_out_split(own, self._pad, self._line_tokens, self.shape.captured, plain=self.shape.long)
        if parts is None:
            self.graphed_pass = None if self.shape.long else graphed_pass  # its memory is what this pass needs
            return None
        if not self.causal.training:  # and with it the whole model: peft's wrapper is in training mode in any case
            model.train()
        weights = self.loss_weights(sequences, tokens_in_step)
        with attention_captured(self.causal.config, self.shape):
            outputs = [graphed_pass(self._looked_up(part) | weights) for part in parts]
        return self._logged({name: torch.stack([one[name] for one in outputs]).sum(0) for name in outputs[0]})

    def _looked_up(self, batch: Batch) -> Batch:
        """The batch, and its embedded tokens where the table is not on the card, shape [lines, width, hidden]."""
        return batch | {"embedded": embedded(self.causal, batch["ids"])} if is_on_host(self.causal) else batch

    def _own(self, sequences: Sequence[TrainSequence]) -> list[TrainSequence]:
        """The share of this process."""
        return list(sequences) if self.group.size == 1 else share(sequences, self.group.rank, self.group.size)

    def _no_outputs(self) -> PassOutputs:
        return {name: torch.zeros((), device=self.args.device) for name in self.outputs}

    def _logged(self, outputs: PassOutputs) -> "Tensor":
        """The loss, added up over the processes, as the other outputs are."""
        together = torch.stack([outputs[name].detach().float() for name in self.outputs])
        self.group.add_up(together)
        summed: dict[str, Tensor] = dict(zip(self.outputs, together, strict=True))
        self.log_metrics(summed)
        return summed["loss"]
