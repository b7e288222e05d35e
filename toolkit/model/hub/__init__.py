"""The door to the model hubs, and the only package that knows huggingface_hub and modelscope: files come and go."""
