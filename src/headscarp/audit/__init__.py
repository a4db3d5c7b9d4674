"""The leakage auditor: what a split into training, validation and test lets through."""
