"""How to train, as values."""
