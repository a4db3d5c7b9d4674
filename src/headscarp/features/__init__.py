"""From backscatter to change: medians before and after, their difference, and the fusion of orbits."""
