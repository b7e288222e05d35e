"""Tools that a model may call: as rows, probes and requests list them, and the calls in answers."""
