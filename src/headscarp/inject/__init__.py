"""Landslides of known size and change, planted into real scenes: what can be found is then a number."""
