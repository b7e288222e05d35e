"""The runs of a sweep: one of them, and several at once, each on a card."""
