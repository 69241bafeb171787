"""Config dataclasses: shared sections, and one file a command that has sections of its own."""
