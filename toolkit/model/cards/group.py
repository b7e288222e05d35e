"""Processes that train together, one a card: what they add up, and what the first of them tells the others.

The group is not torch's default one. To ms-swift, transformers and accelerate each process is the only one, with every
row and every setting; its passes are its share of each step (`toolkit.train.passes.batch.share`), and gradients and
losses are added up here. So a step is the same whatever the number of processes, and so are its checkpoints.

Where each holds a share of the base model only (`toolkit.model.cards.shares`), a pass takes every process: what the
first process computes for all, such as answers, the others accompany pass by pass.
"""

import pickle
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from toolkit.core.environment import forget_launcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

T = TypeVar("T")
# Whoever started the processes ends them when one fails; before that, one may work for long while the others wait.
PATIENCE = timedelta(days=7)
PLACE = re.compile(r"^\[[^\]\s]*\]\s*")


class LostPeerError(RuntimeError):
    """Another process of the group has ended, or cannot be reached."""


class Group:
    """One process's view of the group; by default it is the only one, and then nothing here does anything.

    `store`: torch's, by which the processes find each other. Methods of several processes raise LostPeerError.
    """

    def __init__(self, store: Any = None, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size, self.store = rank, size, store
        self._on_cards: Any = None
        self._network: Any = None  # of which each process holds a share
        if size > 1:
            from torch.distributed import PrefixStore, ProcessGroupGloo  # type: ignore[attr-defined]

            with _peers():
                self._on_hosts: Any = ProcessGroupGloo(PrefixStore("hosts", store), rank, size, PATIENCE)

    def first(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first process, where it is called; it has to be picklable.

        It may compute with a shared network, but not train it.
        """
        if self.size == 1:
            return make()
        if self.rank == 0:
            with self.accompanied():
                content = _bytes(make())
        else:
            self.accompany()
            content = torch.empty(0, dtype=torch.uint8)
        length = torch.tensor([len(content)])
        with _peers():
            self._on_hosts.broadcast(length, 0).wait()
            content = content if self.rank == 0 else torch.empty(int(length), dtype=torch.uint8)
            self._on_hosts.broadcast(content, 0).wait()
        found: T = pickle.loads(content.numpy().tobytes())  # noqa: S301  # of a process of this same training
        return found

    def every(self, value: T) -> list[T]:
        """Every process's value, in their order; it has to be picklable."""
        if self.size == 1:
            return [value]
        content = _bytes(value)
        lengths = torch.zeros(self.size, dtype=torch.long)
        lengths[self.rank] = len(content)
        self.add_up(lengths)
        padded = torch.zeros(self.size, int(lengths.max()), dtype=torch.uint8)
        padded[self.rank, : len(content)] = content
        self.add_up(padded)
        rows = zip(padded, lengths.tolist(), strict=True)
        return [pickle.loads(row[:length].numpy().tobytes()) for row, length in rows]  # noqa: S301

    def share(self, network: Any) -> None:
        """Each process holds a share of this decoder from here on, and none can compute with it without the others."""
        self._network = network

    @property
    def shares(self) -> bool:
        """Whether each process holds a share only."""
        return self._network is not None

    def gather(self, whole: "Tensor", own: "Tensor") -> None:
        """Fills `whole`, shape [processes * values], with every process's `own`, shape [values], in their order."""
        with _peers():
            self._backend(own)._allgather_base(whole, own).wait()  # noqa: SLF001  # docs/fragile.md

    def add_up(self, values: "Tensor") -> None:
        """Replaces the values by their sums over all processes, which come out the same in each of them."""
        if self.size > 1:
            with _peers():
                self._backend(values).allreduce([values]).wait()

    def share_weights(self, parameters: Sequence["Tensor"]) -> None:
        """Every process gets those of the first."""
        if self.size > 1:
            with _peers(), torch.no_grad():
                for one in parameters:
                    self._backend(one).broadcast(one.detach(), 0).wait()

    def add_up_gradients(self, parameters: Sequence["Tensor"]) -> None:
        """Of one step, once; a process whose share of it was empty has none, and counts as zeros.

        In place, since a captured pass accumulates into these very tensors.
        """
        if self.size == 1:
            return
        for one in parameters:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        gradients = [one.grad for one in parameters if one.grad is not None]
        together = torch.cat([one.flatten() for one in gradients])
        self.add_up(together)
        parts = torch.split(together, [one.numel() for one in gradients])
        for one, added in zip(gradients, parts, strict=True):
            one.copy_(added.view_as(one))

    @contextmanager
    def accompanied(self) -> "Iterator[None]":
        """Within, the others hear of each pass through the shared network before it begins; at the end, that it is."""
        if self._network is None:
            yield
            return

        def announce(*_: object) -> None:  # what a hook returns takes the place of the inputs
            self._announced(1)

        hook = self._network.register_forward_pre_hook(announce)
        try:
            yield
        finally:
            hook.remove()
        self._announced(0)

    def accompany(self) -> None:
        """A pass over one token for each of the first process's: its share of every layer is asked for as often."""
        while self._network is not None and self._announced():
            token = torch.zeros(1, 1, dtype=torch.long, device=self._network.device)
            with torch.no_grad():
                self._network(input_ids=token, use_cache=False)

    def abandon(self) -> None:
        """Another process is gone: what waits for it on a card ends with an error; elsewhere it does by itself."""
        if self._on_cards is not None:
            self._on_cards.abort()

    def _announced(self, value: int = 0) -> int:
        """The first process's value."""
        announced = torch.tensor([value])
        with _peers():
            self._on_hosts.broadcast(announced, 0).wait()
        return int(announced)

    def _backend(self, values: "Tensor") -> Any:
        if not values.is_cuda:
            return self._on_hosts
        if self._on_cards is None:
            from torch.distributed import PrefixStore, ProcessGroupNCCL  # type: ignore[attr-defined]

            options = ProcessGroupNCCL.Options()
            options._timeout = PATIENCE  # noqa: SLF001  # docs/fragile.md
            self._on_cards = ProcessGroupNCCL(PrefixStore("cards", self.store), self.rank, self.size, options)
        return self._on_cards


ALONE = Group()


def join(store: str, rank: int, size: int) -> Group:
    """The group of all processes, once every one is there. `store`: a URL of torch.distributed."""
    from torch.distributed import rendezvous  # type: ignore[attr-defined]

    found, _, _ = next(rendezvous(store, rank, size))
    forget_launcher()  # the libraries would take its variables for an order to divide the work themselves
    return Group(found, rank, size)


def _bytes(value: object) -> "Tensor":
    return torch.frombuffer(bytearray(pickle.dumps(value)), dtype=torch.uint8)


@contextmanager
def _peers() -> "Iterator[None]":
    try:
        yield
    except RuntimeError as error:  # torch has classes for some of these errors, and they are this one too
        # Without the place in torch's source that comes first, and the advice that comes last.
        text = PLACE.sub("", str(error)).partition(". ")[0]
        raise LostPeerError(text or type(error).__name__) from error
