"""What a synthetic set gives away of the images that its generator learned from."""
