"""Publishes images and adapters to a registry, and pulls adapters from one."""
