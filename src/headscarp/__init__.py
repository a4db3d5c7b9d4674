"""Headscarp maps landslides from Sentinel-1 radar after an earthquake or a storm."""

from importlib.metadata import version

__version__ = version("headscarp")
