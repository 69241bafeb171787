"""Privacy leakage: what a synthetic set reveals of the images that its generator learned from."""
