"""What separates groups of faces: in a set of images, and in what a classifier makes of them."""
