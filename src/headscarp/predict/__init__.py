"""Prediction: a trained network in the place of a detector."""
