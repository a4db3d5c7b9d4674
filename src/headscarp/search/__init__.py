"""The search for hyperparameters: which of them, on what budget, and what came out."""
