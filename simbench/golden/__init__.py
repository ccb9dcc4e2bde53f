"""Golden captures: a folder with a capture, its feed and what must come out of it."""
