"""simbench verify: golden captures rebuilt offline and over every wire there is, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simbench.commands import compilation, show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path("captures")


def verify(*, folders: Sequence[Path], wires: Sequence[str]) -> int:
    """Check each folder twice offline and once over each wire; 1 on any difference."""
    compilation.for_replaying()
    from simbench.golden.check import check

    chosen = [folder for given in folders or [HERE] for folder in _golden(given)]
    console = show.console()
    wrong = 0
    for folder in chosen:
        for name, lines in check(folder, wires):
            console.print(f"{folder} {name}: {'as expected' if not lines else 'differs'}")
            for line in lines:
                console.print(f"  {line}", markup=False, soft_wrap=True)
            wrong += bool(lines)
    return int(wrong > 0)


def _golden(folder: Path) -> list[Path]:
    from simbench.golden.expectation import EXPECTED

    if (folder / EXPECTED).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{EXPECTED}")) if folder.is_dir() else []
    if not found:
        raise SimbenchError(f"{folder} holds no golden captures; simbench golden CAPTURE makes one")
    return found
