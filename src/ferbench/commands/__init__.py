"""One file a command: unpack the config, call deep functions, write the result."""
