"""The commands that give a run to others, or take one from them."""
