"""Files that people write, in TOML 1.0: decoded with one clear line where something is wrong, and strings to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def decode(text: str, kind: type[T], *, where: str, explain: Callable[[str], str]) -> T:
    """Return what a text describes.

    Args:
        text: of the file.
        kind: msgspec's description of what may be in it.
        where: its name, for the one line that a SimbenchError says.
        explain: puts msgspec's words for what is wrong into the user's.
    """
    try:
        return msgspec.toml.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise SimbenchError(f"{where}: {explain(str(error))}") from None
    except msgspec.DecodeError as error:
        raise SimbenchError(f"{where} is not TOML: {str(error)[:1].lower()}{str(error)[1:]}") from None


def quote(text: str) -> str:
    """Write a basic string (section String)."""
    return '"' + "".join(ESCAPES.get(c, c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") for c in text) + '"'
