"""The container engine; the only package that imports docker. Returns plain values and raises EngineError."""

from image.engine.connection import Engine, EngineInfo, ImageInfo, Layer, PushEvent, connect
from image.engine.containers import ContainerConfig, Mount, Port, run_container
from image.engine.logins import find_login

__all__ = [
    "ContainerConfig",
    "Engine",
    "EngineInfo",
    "ImageInfo",
    "Layer",
    "Mount",
    "Port",
    "PushEvent",
    "connect",
    "find_login",
    "run_container",
]
