"""simbench: replay recorded exchange multicast, receive it by kernel bypass, build the books and prove all of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from simbench.api import Outcome, book, open  # noqa: A004 - simbench.open, as gzip.open
    from simbench.event import ASK, BID, IMPLIED_ASK, IMPLIED_BID

__version__ = "0.1.0"
__all__ = ["ASK", "BID", "IMPLIED_ASK", "IMPLIED_BID", "Outcome", "SimbenchError", "__version__", "book", "open"]

_HOMES = {"Outcome": "api", "book": "api", "open": "api"} | dict.fromkeys(
    ("ASK", "BID", "IMPLIED_ASK", "IMPLIED_BID"), "event"
)


def __getattr__(name: str) -> Any:
    """Import what is called for only then, so that the command line answers at once."""
    if name in _HOMES:
        return getattr(import_module(f"simbench.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'simbench' has no attribute {name!r}")
