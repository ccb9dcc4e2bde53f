"""Runs tests against the package with one rule of it changed; a child process of test_mutants.py, in plain Python.

Reads [[module, old, new, [test ids]], ...] from its input and writes for each what pytest said: 0 all passed, 1 some
failed, 2 to 5 it did not come to that, -n ended by signal n; or that the change uses a name that its module has not.
Every change is made in a process of its own, before anything of the room is imported, so that all importers see it.
"""

import builtins
import dis
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest

import simbench.protocol.contract  # and with it numba: once for all changes

LONGEST_S = 30  # a change that makes a loop endless ends here
NO_SUCH_NAME = 70


class Changed(importlib.machinery.SourceFileLoader):
    """Loads one module with a text in it replaced."""

    def __init__(self, name: str, path: str, old: str, new: str) -> None:
        super().__init__(name, path)
        self._change = (old, new)

    def get_code(self, fullname: str) -> CodeType:
        """Compile the changed text; what is cached is not looked at."""
        old, new = self._change
        text = Path(self.path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{fullname} has {text.count(old)} times: {old}"
        code: CodeType = self.source_to_code(text.replace(old, new).encode(), self.path)
        return code


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module, changed."""

    def __init__(self, module: str, old: str, new: str) -> None:
        spec = importlib.machinery.PathFinder.find_spec(module, [str(Path(__file__).parents[2] / "simbench" / "feed")])
        assert spec is not None
        assert spec.origin is not None
        self._module = module
        self._loader = Changed(module, spec.origin, old, new)

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the changed module's spec for its name."""
        if name != self._module:
            return None
        return importlib.util.spec_from_file_location(name, self._loader.path, loader=self._loader)


def knows_its_names(module: ModuleType) -> bool:
    """Tell whether every global name that a module's functions use exists: a typing mistake is no changed rule."""
    own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    codes = [value.__code__ for value in own if hasattr(value, "__code__")]
    used = {i.argval for code in codes for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return used <= vars(module).keys() | vars(builtins).keys()


def run(module: str, old: str, new: str, tests: list[str]) -> int:
    """Run tests with a change in a process of its own; return pytest's status, or -n."""
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST_S)
        if module:
            sys.meta_path.insert(0, Finder(module, old, new))
            if not knows_its_names(importlib.import_module(module)):
                os._exit(NO_SUCH_NAME)
        here = Path(__file__).parent
        os.chdir(here)
        options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "--noconftest", "-W", "ignore"]
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(int(pytest.main([*options, *tests])))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    assert simbench.protocol.contract.HEADER is not None
    assert not any(name.startswith("simbench.feed") for name in sys.modules)
    json.dump([run(*one) for one in json.load(sys.stdin)], sys.stdout)
