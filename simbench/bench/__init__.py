"""The figures of the README, each beside its peer, and the small peers they need."""
