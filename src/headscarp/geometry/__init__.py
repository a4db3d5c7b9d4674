"""Radar and terrain physics: the pass over the ground, slopes and hillshade."""
