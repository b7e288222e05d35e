"""ms-swift's engine for transformers, subclassed: base and tuned rows share a batch, and a row whose client left ends.

As it comes, ms-swift 4.6 names one adapter for a whole batch, which peft refuses for more than one row, and answers
one name after the other. peft takes a name a row, so both sides of a question are answered at the same time.
"""

import time
from collections.abc import Iterator
from threading import Event
from typing import Any

from swift.infer_engine import InferRequest, RequestConfig, TransformersEngine
from transformers import LogitsProcessor, LogitsProcessorList

BASE_ROW = "__base__"  # peft's word for a row without an adapter
GATHER_S = 0.02  # what is asked within it shares a batch


class Row(InferRequest):  # type: ignore[misc]
    """A question, and what ms-swift's own request has no field for; not fields, because those are copied deeply."""

    side: Any = None  # the AdapterRequest; None: the base model
    gone: Event | None = None  # set when nobody waits for the answer


class SideBySideEngine(TransformersEngine):  # type: ignore[misc]
    """`busy` is set while the model computes."""

    def __init__(self, model: Any, *, template: Any, max_batch_size: int) -> None:
        super().__init__(model, template=template, max_batch_size=max_batch_size)
        self.busy = Event()
        self._rows: list[Any] = []
        self._failure: Exception | None = None
        self._generate = template.generate
        template.generate = self._generate_or_end  # the template is this engine's own

    async def infer_async(
        self, infer_request: Any, request_config: Any = None, *, adapter_request: Any = None, pre_infer_hook: Any = None
    ) -> Any:
        """The adapter travels with the row: the engine gathers what has the same settings and the same adapter."""
        infer_request.side = adapter_request
        return await super().infer_async(infer_request, request_config, pre_infer_hook=pre_infer_hook)

    def _fetch_infer_requests(self) -> Any:
        """The next batch. Settings that were served go behind those that wait, else many alike would starve a few."""
        if not self._queue.empty():
            time.sleep(GATHER_S)
        served = next(iter(self._task_pool), None)
        item = super()._fetch_infer_requests()
        if served in self._task_pool:
            self._task_pool[served] = self._task_pool.pop(served)
        return item

    def _infer(
        self, infer_requests: list[Any], request_config: RequestConfig, *, adapter_request: Any = None,
        pre_infer_hook: Any = None,
    ) -> Any:  # fmt: skip
        """One thread at a time calls this: ms-swift's worker."""
        for row in infer_requests:
            row.side = getattr(row, "side", None) or adapter_request
        self._rows, self._failure = infer_requests, None

        def hook(kwargs: dict[str, Any]) -> dict[str, Any]:
            kwargs["inputs"]["logits_processor"] = LogitsProcessorList([EndWhenGone(infer_requests, self.tokenizer)])
            return pre_infer_hook(kwargs) if pre_infer_hook else kwargs

        self.busy.set()
        try:
            found = super()._infer(infer_requests, request_config, pre_infer_hook=hook)
            return self._until_done(found) if request_config.stream else found
        finally:
            if not request_config.stream:
                self.busy.clear()

    def _until_done(self, pieces: Iterator[Any]) -> Iterator[Any]:
        try:
            for piece in pieces:
                self._require_no_failure()  # what was found so far is no answer
                yield piece
        except Exception:
            self._require_no_failure()  # without a first token, ms-swift stumbles in a way of its own
            raise
        finally:
            self.busy.clear()

    def _require_no_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _generate_or_end(self, model: Any, *arguments: Any, **settings: Any) -> Any:
        """ms-swift streams from a thread whose failure it does not see: it would wait for the next token forever."""
        try:
            return self._generate(model, *arguments, **settings)
        except Exception as error:
            if (streamer := settings.get("streamer")) is None:
                raise
            self._failure = error
            streamer.end()

    def _get_adapter_names(self, adapter_request: Any) -> list[str] | None:  # noqa: ARG002  # each row has its own
        """An adapter that is new is put onto the model here."""
        names = [super(SideBySideEngine, self)._get_adapter_names(row.side) for row in self._rows]
        return [(name or [BASE_ROW])[0] for name in names] if self._adapters_pool else None


class EndWhenGone(LogitsProcessor):  # type: ignore[misc]
    """Lets a row whose client left end at the next token; the other rows are not touched."""

    def __init__(self, rows: list[Any], tokenizer: Any) -> None:
        self.gone = [getattr(row, "gone", None) for row in rows]
        self.end = tokenizer.eos_token_id

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002  # the processor's signature
        left = [at for at, gone in enumerate(self.gone) if gone is not None and gone.is_set()]
        if left:
            scores[left] = float("-inf")
            scores[left, self.end] = 0.0
        return scores
