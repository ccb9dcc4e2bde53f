"""Run simbench as a user without any right, whoever runs the tests: `python nobody.py ARGUMENTS`."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

NOBODY: Final = 65534
CLONE_NEWNS: Final = 0x20000
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
COMMAND: Final = (sys.executable, __file__)


def options(home: Path) -> dict[str, Any]:
    """Return what a Popen of COMMAND needs besides: a home of nobody's with a copy of the compiled kernels.

    Args:
        home: a new folder that every user can reach.
    """
    from simbench.kernel import cache

    home.mkdir()
    kernels = cache.directory()
    if os.geteuid() == 0:
        kernels = home / "kernels"
        kernels.mkdir()
        for name in {cache._folder(path).name for path in cache.PACKAGE.rglob("*.py")}:
            if (cache.directory() / name).is_dir():
                shutil.copytree(cache.directory() / name, kernels / name)
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return {"cwd": home, "env": {**os.environ, "HOME": str(home), "SIMBENCH_CACHE": str(kernels)}}


def missing(found: dict[str, Any]) -> str:
    """Return why no command runs as nobody here, "" where one does."""
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=False, **found)
    return (done.stderr.strip().splitlines() or ["no version"])[-1] if done.returncode else ""


def open_up(needed: set[Path]) -> None:
    """Make folders reachable for everybody, for this process and its children: root's home is root's alone.

    What bars the way is covered by an empty folder of memory in which only the needed ones are.
    """
    barred: dict[Path, list[Path]] = {}
    for path in sorted(needed):
        bar = next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)
        if bar is not None and not any(other in path.parents for other in barred.setdefault(bar, [])):
            barred[bar].append(path)
    if not barred:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        sys.exit(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    _mount(libc, "none", "/", "", MS_REC | MS_PRIVATE)
    for bar, paths in barred.items():
        kept = [os.open(path, os.O_PATH) for path in paths]
        _mount(libc, "none", str(bar), "tmpfs", 0, "mode=755")
        for fd, path in zip(kept, paths, strict=True):
            path.mkdir(parents=True)
            _mount(libc, f"/proc/self/fd/{fd}", str(path), "", MS_BIND)


def _mount(libc: ctypes.CDLL, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()):
        sys.exit(f"cannot mount on {target}: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    """Become nobody, then simbench."""
    if os.geteuid() == 0:
        folders = {Path(name).resolve() for name in (sys.base_prefix, sys.prefix, *sys.path)}
        open_up({folder for folder in {*folders, Path(__file__).parents[1]} if folder.is_dir()})
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.execv(sys.executable, [sys.executable, "-m", "simbench", *sys.argv[1:]])  # noqa: S606 (simbench itself, as it is started)


if __name__ == "__main__":
    main()
