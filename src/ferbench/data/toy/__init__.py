"""A renderer of toy faces, driven by facial action units."""
