"""Detectors that need no labels: from change to score, from score to probability."""
