"""Bias: how groups of faces differ, in a set of images and in the predictions of a classifier."""
