"""Can this host and user do what is asked of them, and is the host fit to measure on: a verdict a line."""
