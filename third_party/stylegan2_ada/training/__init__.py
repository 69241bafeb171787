"""The training loop and its parts: options, batches, losses, averages, counts, processes."""
