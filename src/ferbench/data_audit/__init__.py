"""A labeled set of real faces looked at for its own faults: copies, balance, wrong labels."""
