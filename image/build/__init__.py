"""Builds the image, and reads its bill of materials back."""
