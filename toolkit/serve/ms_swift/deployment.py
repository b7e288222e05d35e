"""ms-swift's own deployment, subclassed: the base is loaded once, the adapter beside it, and both names answer.

Imported late. Its HTTP routes are left out: `toolkit.serve.routes` speaks to clients, since ms-swift's own answer
errors in another shape than OpenAI's,
open the model list to everybody and read files and addresses that a request names.
"""

import time
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

from swift import DeployArguments
from swift.infer_engine import AdapterRequest, RequestConfig
from swift.pipelines.infer.deploy import SwiftDeploy

from toolkit.model.conversation import Messages
from toolkit.model.families.qwen2 import MODEL_TYPE, TEMPLATE
from toolkit.model.four_bits import in_four_bits
from toolkit.serve.job import ServeJob
from toolkit.serve.ms_swift.engine import Row, SideBySideEngine
from toolkit.serve.openai import ChatAsked, UpToStop

TRANSFORMERS = "transformers"
QUIET_WITHIN_S = 30.0  # a step of a large model on a processor takes seconds


def arguments(job: ServeJob) -> DeployArguments:
    """The job in ms-swift's words; what they leave to chance is named."""
    return DeployArguments(
        model=str(job.model_folder),
        model_type=MODEL_TYPE,
        template=TEMPLATE,
        template_backend="jinja",  # the model's own chat template, as everywhere else in the toolkit
        torch_dtype=job.precision,
        adapters=[] if job.adapter is None else [f"{job.tuned}={job.adapter}"],
        load_args=False,  # else the training's settings are taken up, among them its system prompt
        infer_backend=job.backend,
        max_batch_size=job.batch_size,
        vllm_max_lora_rank=job.lora_rank,
        served_model_name=job.base,
        verbose=False,  # else each question and answer is logged
        log_interval=-1,
        log_level="error",
        hub_token="",  # else a token in the environment logs in to a hub
        **in_four_bits(job.precision if job.in_4bit else None),
    )


class Deployment(SwiftDeploy):  # type: ignore[misc]
    """What `toolkit.serve.routes` asks: `names`, `context_tokens`, `count_tokens`, `whole`, `pieces`, `end`."""

    infer_engine: Any
    template: Any

    def __init__(self, job: ServeJob) -> None:
        self.job = job
        super().__init__(arguments(job))
        self.template.template_meta.default_system = None  # the model's own chat template speaks its default
        if job.backend == TRANSFORMERS:
            self.infer_engine = SideBySideEngine(
                self.infer_engine.model, template=self.template, max_batch_size=job.batch_size
            )

    def _register_app(self) -> None:
        """None of its routes; see above."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._get_model_list())

    @property
    def context_tokens(self) -> int:
        return int(self.infer_engine.max_model_len)

    def count_tokens(self, messages: Messages) -> int:
        tokenizer = self.template.tokenizer
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    def warm_up(self) -> None:
        """Each name says one token: an adapter is put onto the model at its first question.

        Not with vLLM, which stays with the event loop of its first question: the server's.
        """
        if self.job.backend != TRANSFORMERS:
            return
        config = RequestConfig(max_tokens=1, temperature=0)
        for name in self.names:
            row = Row(messages=[{"role": "user", "content": "Hello"}])
            self.infer_engine.infer([row], config, use_tqdm=False, adapter_request=self._side(name))

    def _side(self, name: str) -> Any:
        path = self.args.adapter_mapping.get(name)
        return None if path is None else AdapterRequest(name, path)

    async def whole(self, asked: ChatAsked, gone: Event) -> dict[str, Any]:
        """OpenAI's chat.completion."""
        response = await self._infer(asked, gone)
        [choice] = response.choices
        cut = UpToStop(asked.stop)
        text = cut(choice.message.content, last=True)
        return {
            **_frame(response.id, "chat.completion", asked),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": choice.logprobs,
                    "finish_reason": "stop" if cut.stopped else choice.finish_reason,
                }
            ],
            "usage": _usage(response),
        }

    async def pieces(self, asked: ChatAsked, gone: Event) -> AsyncIterator[dict[str, Any]]:
        """OpenAI's chat.completion.chunk, one after the other."""
        cut, frame, usage, role = UpToStop(asked.stop), None, None, {"role": "assistant"}
        async for response in await self._infer(asked, gone):
            frame = frame or _frame(response.id, "chat.completion.chunk", asked)
            [choice] = response.choices
            text = cut(choice.delta.content or "", last=choice.finish_reason is not None)
            reason = "stop" if cut.stopped else choice.finish_reason
            told = {"index": 0, "delta": {**role, "content": text}, "logprobs": choice.logprobs, "finish_reason": None}
            role, usage = {}, _usage(response)
            yield {**frame, "choices": [told]}
            if reason is not None:
                yield {**frame, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}]}
                break
        if asked.include_usage and frame is not None:
            yield {**frame, "choices": [], "usage": usage}

    async def _infer(self, asked: ChatAsked, gone: Event) -> Any:
        row = Row(messages=asked.messages)
        row.gone = gone
        config = RequestConfig(
            max_tokens=asked.max_new_tokens, temperature=asked.temperature, top_p=asked.top_p, top_k=-1,
            repetition_penalty=1.0, stop=list(asked.stop), stream=asked.stream,
            logprobs=asked.top_logprobs is not None, top_logprobs=asked.top_logprobs or None,
        )  # fmt: skip
        return await self.infer_engine.infer_async(row, config, adapter_request=self._side(asked.model))

    def end(self) -> None:
        """Waits until the model no longer computes: a thread inside torch aborts an interpreter that ends."""
        busy = getattr(self.infer_engine, "busy", None)
        until = time.monotonic() + QUIET_WITHIN_S
        while busy is not None and busy.is_set() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.1)  # ms-swift's worker says a last word to the event loop


def _frame(number: str, kind: str, asked: ChatAsked) -> dict[str, Any]:
    return {"id": number, "object": kind, "created": int(time.time()), "model": asked.model}


def _usage(response: Any) -> dict[str, int]:
    usage = response.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
