"""Numbers from arrays, without files."""
