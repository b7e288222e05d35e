"""Writes a run in a form that others take, and lets it out only when it answers as base and adapter did.

A format is one module with one class (see `form.Form`) and one line in `forms.FORMS`. Everything that formats share,
from the disk check to the rejected folder, is in `exporting` and `place`.
"""
