"""Training: losses, the engine, the search for hyperparameters."""
