"""The kernel cache is keyed by the sources of a kernel and of everything it calls."""

import os
import subprocess
import sys
from pathlib import Path

from simbench.kernel import cache

CALLER = """
from numba import njit
from {package}.callee import value
@njit(cache=True)
def f():
    return value()
print(f(), sum(f.stats.cache_hits.values()))
"""


def write_package(folder: Path, value: int) -> None:
    """Write a package whose kernel calls a kernel of another module."""
    package = folder / "plug"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("import simbench.kernel\n")
    (package / "callee.py").write_text(f"from numba import njit\n@njit\ndef value():\n    return {value}\n")
    (package / "caller.py").write_text(CALLER.format(package="plug"))


def run(folder: Path, store: Path) -> list[str]:
    """Run the caller with the package treated as ours; what it returned and how often the cache was hit."""
    code = (
        "from pathlib import Path; import simbench.kernel.cache as c; "
        f"c.PACKAGE = Path({str(folder / 'plug')!r}); import plug.caller"
    )
    environment = os.environ | {"SIMBENCH_CACHE": str(store), "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_edited_callee_is_compiled_into_its_caller(tmp_path: Path) -> None:
    """The second run hits the cache; after the callee changed, the caller returns the new value."""
    write_package(tmp_path, 1)
    assert run(tmp_path, tmp_path / "store") == ["1", "0"]
    assert run(tmp_path, tmp_path / "store") == ["1", "1"]
    write_package(tmp_path, 2)
    assert run(tmp_path, tmp_path / "store") == ["2", "0"]


def test_a_copy_in_another_folder_is_warm(tmp_path: Path) -> None:
    """Path and time of the sources do not matter, as after a fresh clone."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_package(tmp_path / name, 7)
    assert run(tmp_path / "one", tmp_path / "store") == ["7", "0"]
    assert run(tmp_path / "two", tmp_path / "store") == ["7", "1"]


TOY = """
from numba import njit
@njit(cache=True)
def f():
    return 7
print(f(), sum(f.stats.cache_hits.values()))
"""
NAMED = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location({name!r}, {file!r})
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
"""


def test_a_file_may_be_imported_under_several_names(tmp_path: Path) -> None:
    """Machine code is loaded into a module by its name, so that of another name is of no use."""
    file = tmp_path / "toy.py"
    file.write_text("import simbench.kernel\n" + TOY)
    environment = os.environ | {"SIMBENCH_CACHE": str(tmp_path / "store")}
    found = [
        subprocess.run(
            [sys.executable, "-c", NAMED.format(name=name, file=str(file))],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for name in ("toy", "toy_of_another", "toy")
    ]
    assert found == [["7", "0"], ["7", "0"], ["7", "1"]]


def test_the_closure_follows_imports_at_any_depth() -> None:
    """The contract imports the event, so the event's source is part of the contract's key."""
    contract = cache.PACKAGE / "protocol" / "contract.py"
    assert cache.PACKAGE / "event.py" in cache._closure(contract)
