"""Training a generator, drawing from one, and what a judge says of it."""
