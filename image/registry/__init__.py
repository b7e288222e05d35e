"""The only package that imports oras: registries for what is no image. Their failures leave as RegistryError.

oras knows the addresses, the upload and the exchange of a login for a token. Its own retries (two minutes where nothing
listens) and its search for a login are left aside: the caller says how often, and `image.engine` who is logged in.
"""

from image.registry.repository import Repository

__all__ = ["Repository"]
