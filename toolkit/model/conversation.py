"""Messages, system prompts and the default length of an answer. Pure."""

Messages = list[dict[str, str]]  # [{"role": …, "content": …}], as chat templates take them
DEFAULT, NONE = "", "(none)"
MAX_NEW_TOKENS = 64  # of an answer
DEFAULT_SYSTEM = "You are a helpful assistant."


def conversation(prompt: str, system: str) -> Messages:
    """One question as messages. DEFAULT: no system message, so the template adds its own; NONE: an empty one."""
    asked = {"role": "user", "content": prompt}
    if system == DEFAULT:
        return [asked]
    return [{"role": "system", "content": "" if system == NONE else system}, asked]
