"""From a map and the truth to an evaluation folder."""
