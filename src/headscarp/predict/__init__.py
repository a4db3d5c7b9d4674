"""Prediction: a checkpoint as a detector of the map."""
