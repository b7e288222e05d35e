"""Registries for artifacts other than images; the only package that imports oras. Raises RegistryError.

oras builds the URLs, uploads, and exchanges a login for a token. Its own retries (two minutes if nothing listens) and
its search for a login are not used: the caller sets the number of tries, and `image.engine` finds the login.
"""

from image.registry.repository import MANIFEST_TYPE, Repository

__all__ = ["MANIFEST_TYPE", "Repository"]
