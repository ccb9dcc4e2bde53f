"""Fault scripts: what is done to which datagram of a capture, and what a receiver has to notice of it."""
