"""Choosing a better synthetic set: clear classes, no copies, distributed like real faces."""
