"""How near a set of images is to the real faces, and how varied."""
