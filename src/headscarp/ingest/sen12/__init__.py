"""Patches of Sen12Landslides: their facts, their values, folders of them."""
