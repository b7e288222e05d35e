"""The model side: fine-tune, compare, export, chat. Never imports docker or `image`."""

__version__ = "0.1.0"
