"""The ground: where it is, how high, what drains where, what grows on it."""
