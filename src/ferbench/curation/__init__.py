"""A better synthetic set out of a pool: what shows its class, copies nothing, covers the real."""
