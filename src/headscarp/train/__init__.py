"""Training: losses, the engine, transfer."""
