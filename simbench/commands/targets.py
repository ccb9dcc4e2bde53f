"""Files that a result goes into: refused before the work where they cannot be, written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def check_target(path: Path | None) -> None:
    """Refuse, before the run and not after it, a file that cannot be written."""
    if path is not None and (path.is_dir() or not os.access(f"{path.absolute().parent}/", os.W_OK)):
        raise SimbenchError(
            f"cannot write {path}: it is a folder, or in one that is not there or not yours to write in"
        )


def write_json(path: Path, found: Mapping[str, Any]) -> None:
    """Write a result whole or not at all."""
    import msgspec

    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    temporary.replace(path)
