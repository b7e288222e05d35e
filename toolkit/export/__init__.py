"""Exports a run to other formats, and accepts a result only if it answers as base and adapter do.

A format is one module with one class (`formats.base.Format`) and one line in `formats.FORMATS`. What formats share,
from the disk check to the rejected folder, is in `export` and `target`.
"""
