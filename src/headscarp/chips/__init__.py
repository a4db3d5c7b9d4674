"""Chips: features and labels of many events cut into squares, split, sampled and augmented."""
