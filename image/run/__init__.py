"""Runs a command in the image with the caller's files, uid and terminal."""
