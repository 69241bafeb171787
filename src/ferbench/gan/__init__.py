"""Training a generator, drawing from one, and scoring it with a judge."""
