"""Scenes and inventories of many events to one store of chips, and its split."""
