"""The JSON of a chat completion's request as types, as far as it is read here; a field says what is allowed in it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field

MAX_STOPS, MAX_STOP_CHARACTERS, MAX_TOP_LOGPROBS, MAX_TEMPERATURE, MAX_MESSAGES = 4, 1000, 20, 2.0, 2048
MAX_TOOLS = 128


def _joined(content: Any) -> Any:
    """One text of OpenAI's list of parts, provided that each part is text; of null, the empty text; else as it is."""
    if content is None:
        return ""
    if not isinstance(content, list):
        return content
    texts: list[str] = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            return content
        texts.append(part["text"])
    return "".join(texts)


def complete_characters(text: str) -> str:
    """The text. Raises ValueError for one that no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("It contains half a character (a lone surrogate).") from None
    return text


class _Body(BaseModel):
    """Values are not converted: "1" is not a number. A field's description says what is allowed, in its error."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


class ChatMessage(_Body):
    role: Annotated[
        Literal["system", "user", "assistant", "tool"],
        BeforeValidator(lambda role: "system" if role == "developer" else role),
        Field(description="one of system, user, assistant, tool"),
    ]
    content: Annotated[
        str, BeforeValidator(_joined), AfterValidator(complete_characters),
        Field(description="text; this model reads nothing else"),
    ] = ""  # fmt: skip
    reasoning_content: Annotated[str, AfterValidator(complete_characters)] | None = Field(None, description="text")
    tool_calls: list[dict[str, Any]] | None = Field(None, description="a list of calls")
    tool_call_id: str | None = Field(None, description="a text")


class TemplateOptions(_Body):
    """`enable_thinking`: whether a model that thinks answers after a thought, as vLLM takes it."""

    enable_thinking: bool | None = Field(None, description="a boolean")


class StreamOptions(_Body):
    include_usage: bool | None = Field(None, description="a boolean")


class ChatBody(_Body):
    """The JSON object of a request, as far as it is read here. None stands for a field's default."""

    model: str
    messages: Annotated[list[ChatMessage], FailFast()] = Field(
        min_length=1, max_length=MAX_MESSAGES, description=f"a list of 1 to {MAX_MESSAGES} messages"
    )
    max_completion_tokens: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    max_tokens: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    temperature: float | None = Field(
        None, ge=0, le=MAX_TEMPERATURE, description=f"a number from 0 to {MAX_TEMPERATURE:g}"
    )
    top_p: float | None = Field(None, ge=0, le=1, description="a number from 0 to 1")
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]],
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else [] if stop is None else stop),
        Field(
            max_length=MAX_STOPS,
            description=f"a text of 1 to {MAX_STOP_CHARACTERS} characters, or a list of at most {MAX_STOPS}",
        ),
    ] = []
    tools: list[dict[str, Any]] | None = Field(
        None, max_length=MAX_TOOLS, description=f"a list of at most {MAX_TOOLS} functions"
    )
    stream: bool | None = Field(None, description="a boolean")
    stream_options: StreamOptions | None = Field(None, description="a JSON object")
    chat_template_kwargs: TemplateOptions | None = Field(None, description="a JSON object")
    logprobs: bool | None = Field(None, description="a boolean")
    top_logprobs: int | None = Field(
        None, ge=0, le=MAX_TOP_LOGPROBS, description=f"a whole number from 0 to {MAX_TOP_LOGPROBS}"
    )
