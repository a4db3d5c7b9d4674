"""``headscarp inject``: real scenes with planted landslides, written as the files of an event."""

from headscarp.pipeline.inject.ground import find_room
from headscarp.pipeline.inject.run import run_inject

__all__ = ["find_room", "run_inject"]
