"""Fine-tune a model on one card, and prove what changed.

    data, model ─→ train ─→ runs ─→ compare ─→ sweep, export, serve        cli shows it all; core serves all

A command `toolkit X` is cli/X.py, and its story is the one X.py in a room. A room uses the floors below its own:

    cli | swift_compat        what a person or an article's command meets
    export | serve | sweep    what is done with a run, or with many
    compare | train           the judge knows nothing of the training, the training nothing of the judge
    data | model | runs       rows and probes; the base model on disk, on the card, asked; a run's folder
    core                      errors, events, files, text, startup: knows no room
"""

__version__ = "0.1.0"
