"""Checks a built or published image, and what is attached to it."""
