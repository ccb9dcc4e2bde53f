"""What each command does, one file a command; `simbench.cli` only parses and imports them when they are called."""
