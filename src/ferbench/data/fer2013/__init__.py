"""FER2013 from any of its forms to checked arrays."""
