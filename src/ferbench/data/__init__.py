"""Face data: archives, the toy renderer, sets on disk, batches on the device."""
