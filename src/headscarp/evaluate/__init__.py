"""Every figure once, right, with its uncertainty: counts first, ratios after summing. Never torch."""
