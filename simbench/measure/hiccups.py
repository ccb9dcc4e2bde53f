"""Hiccups of several receivers, or of several runs, as those of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def added(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all of them come to, in the shape that each has.

    Args:
        each: `hiccups` of `run --json`, one at least.
    """
    found = {name: sum(one[name] for one in each) for name in ("count", "lost_ns", "watched_ns")}
    share = found["lost_ns"] / found["watched_ns"] if found["watched_ns"] else 0.0
    return {**found, "longest_ns": max(one["longest_ns"] for one in each), "share": share}
