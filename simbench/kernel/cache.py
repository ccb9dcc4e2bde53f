"""A disk cache for compiled kernels that is keyed by what they were compiled from.

Numba looks only at the file of a function, not at the files of what it calls: edit a callee and its callers keep the
old machine code. It also looks at the file's path and time, so that a fresh clone compiles everything again. Here the
key is the text of the function's module and of every module of this package that it imports, at any depth.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from simbench.errors import SimbenchError

LOCATOR = "simbench.kernel.cache.SourceLocator"
PACKAGE = Path(__file__).resolve().parents[1]


def directory() -> Path:
    """Return the folder that holds compiled kernels: SIMBENCH_CACHE, or the user's cache folder."""
    chosen = os.environ.get("SIMBENCH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simbench" / "kernels"


def install() -> None:
    """Make Numba look for compiled kernels here first; call before the first kernel is declared."""
    os.environ.setdefault("NUMBA_CACHE_LOCATOR_CLASSES", LOCATOR)
    config = sys.modules.get("numba.core.config")
    if config is not None and not config.CACHE_LOCATOR_CLASSES:
        config.CACHE_LOCATOR_CLASSES = LOCATOR  # type: ignore[attr-defined]


def is_warm(module: str) -> bool:
    """Tell whether kernels of a module of this package were compiled from the present sources on this machine."""
    file = _source(module)
    return file is not None and os.access(_folder(file), os.R_OK | os.X_OK)


@cache
def fingerprint(file: Path) -> str:
    """Hash a module's source with those of all the modules of this package that it imports.

    Args:
        file: the module's source file, of this package or of a user's own protocol.
    """
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted(_closure(file)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _closure(file: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imports(path))
    return found


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    files = (_source(name) for name in names if name.split(".")[0] == PACKAGE.name)
    return tuple(file for file in files if file is not None)


def _source(name: str) -> Path | None:
    stem = PACKAGE.joinpath(*name.split(".")[1:])
    return next((file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()), None)


def _folder(file: Path) -> Path:
    checked = "checked" if os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0") else "plain"
    return directory() / f"{file.stem}-{fingerprint(file)}-{checked}"


class SourceLocator:
    """Tell Numba where a function's machine code is kept; Numba finds this class by its dotted name."""

    def __init__(self, file: Path, module: str, line: int) -> None:
        """Remember the function's file, the name its module has here, and its first line."""
        self._file = file
        self._module = module
        self._line = line

    def ensure_cache_path(self) -> None:
        """Create the folder; called when something was compiled and has to be kept.

        Raises:
            SimbenchError: nothing can be kept there.
        """
        folder = _folder(self._file)
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SimbenchError(
                f"compiled kernels cannot be kept in {directory()}; set SIMBENCH_CACHE to a folder of yours"
            )

    def get_cache_path(self) -> str:
        """Return the folder, named after module and fingerprint."""
        return str(_folder(self._file))

    def get_source_stamp(self) -> str:
        """Return the fingerprint: what was compiled from other sources is not used."""
        return fingerprint(self._file)

    def get_disambiguator(self) -> str:
        """Return what tells namesakes apart: the module, into which code is loaded by name, and the first line."""
        return f"{self._module}-{self._line}"

    @classmethod
    def from_function(cls, function: Any, file: str) -> SourceLocator | None:
        """Return a locator for a function whose source is a file, None for the interpreter's own prompt."""
        path = Path(file)
        if not path.is_file():
            return None
        return cls(path.resolve(), function.__module__, function.__code__.co_firstlineno)
