"""Registries for artifacts other than images; the only package that imports oras. Raises RegistryError.

oras builds the URLs and uploads. `transport` sends every request, with the rules for TLS, redirects and limits; `login`
exchanges a login for a token; `image.engine` finds the login; the caller sets the number of tries.
"""

from image.registry.repository import MANIFEST_TYPE, Repository

__all__ = ["MANIFEST_TYPE", "Repository"]
