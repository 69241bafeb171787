"""Studies: many runs behind one results table, from a YAML file to a report."""
