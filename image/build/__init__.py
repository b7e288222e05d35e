"""Builds the image: weights checked against their lock, BuildKit run, the bill of materials read back."""
