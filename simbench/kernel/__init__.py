"""What Numba lacks: loads from the wire, atomics, prefetch, clocks, system calls, and a cache that never goes stale."""

from simbench.kernel import cache

cache.install()
