"""The truth: where landslides start, how they run, what they look like on the map."""
