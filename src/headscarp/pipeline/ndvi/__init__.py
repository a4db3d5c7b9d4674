"""Scenes and a network to a map of NDVI and of how far to believe it."""
