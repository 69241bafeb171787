"""When two images are the same, or nearly so."""
