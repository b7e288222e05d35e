"""What a model is asked: messages, system prompts, and how many new tokens an answer may have. Pure."""

Messages = list[dict[str, str]]  # [{"role": …, "content": …}], as chat templates take them
DEFAULT, NONE = "", "(none)"
MAX_NEW_TOKENS = 64
DEFAULT_SYSTEM = "You are a helpful assistant."


def conversation(prompt: str, system: str) -> Messages:
    """DEFAULT is no system message at all: the chat template then speaks its own; NONE is an empty one."""
    asked = {"role": "user", "content": prompt}
    if system == DEFAULT:
        return [asked]
    return [{"role": "system", "content": "" if system == NONE else system}, asked]
