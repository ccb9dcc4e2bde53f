"""Feeds that never were, and files made into feeds: seeded generators, packing into datagrams, lines, conversion."""
