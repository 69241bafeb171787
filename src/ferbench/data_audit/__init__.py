"""The faults of a labeled set of real faces: copies, balance, wrong labels."""
