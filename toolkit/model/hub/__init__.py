"""Downloads from and uploads to model hubs: the only package that imports huggingface_hub and modelscope_hub."""
