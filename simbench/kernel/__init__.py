"""What Numba lacks: loads from the wire, atomics, prefetch, clocks, system calls, and a cache that never goes stale."""

import warnings

from simbench.kernel import cache

cache.install()
# First-class functions carry the protocol and wire contracts; what Numba calls experimental about them is tested here.
warnings.filterwarnings("ignore", message="First-class function type feature is experimental")
