"""A process that has imported the libraries and loaded the base model, and forks a worker for each command.

`client` runs first in every command and imports only the standard library; `keeper` listens, `worker` does the work.
"""
