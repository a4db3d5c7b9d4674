"""Calibration of a probability, fitted on validation ground and applied elsewhere."""
