"""Loads, stores and hashes mean the same compiled, checked and as plain Python."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from simbench.kernel import pure

PROBE = """
import numpy as np
from numba import njit
from simbench.kernel import pure
@njit
def probe(d, w):
    pure.store_be32(d, 40, 0x01020304)
    pure.store_le64(d, 48, -2)
    return (pure.load_u8(d, 9), pure.load_i8(d, 200), pure.load_le16(d, 201), pure.load_le_i16(d, 201),
            pure.load_le32(d, 200), pure.load_le_i32(d, 200), pure.load_le64(d, 200), pure.load_be16(d, 3),
            pure.load_be32(d, 3), pure.load_be_i32(d, 200), pure.load_be48(d, 200), pure.load_be64(d, 200),
            pure.load_be32(d, 40), pure.load_le64(d, 48), pure.fetch_add(w, 1, 5), pure.load_acquire(w, 1),
            pure.mix(12345, 678), pure.less_unsigned(-1, 1), pure.shift_right(-1, 60))
d = np.arange(256).astype(np.uint8)
print(*probe(d, np.zeros(4, np.int64)), pure.hash_bytes(d, 3, 101))
"""


def run_probe(**environment: str) -> str:
    """Run the probe in a process of its own, since each mode is chosen at import."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_three_modes_agree() -> None:
    """The compiled, the checked and the plain form return the same values."""
    compiled = run_probe()
    assert compiled == run_probe(NUMBA_BOUNDSCHECK="1")
    assert compiled == run_probe(NUMBA_DISABLE_JIT="1")


def test_loads_have_the_values_that_the_bytes_spell() -> None:
    """Each width, order and sign is what int.from_bytes says."""
    raw = bytes(range(200, 216))
    data = np.frombuffer(raw, np.uint8).copy()

    @njit
    def probe(d: "np.ndarray") -> "tuple[int, ...]":
        return (
            pure.load_le32(d, 1),
            pure.load_be64(d, 2),
            pure.load_be48(d, 3),
            pure.load_le_i16(d, 5),
        )

    expected = (
        int.from_bytes(raw[1:5], "little"),
        int.from_bytes(raw[2:10], "big", signed=True),
        int.from_bytes(raw[3:9], "big"),
        int.from_bytes(raw[5:7], "little", signed=True),
    )
    assert expected == probe(data)


@pytest.mark.parametrize("offset", [93, 100, -1])
def test_a_checked_build_sees_a_load_outside(offset: int) -> None:
    """One byte past the end, and before the start, is an IndexError under NUMBA_BOUNDSCHECK."""
    code = (
        "import numpy as np\nfrom numba import njit\nfrom simbench.kernel.pure import load_le64\n"
        "f = njit(lambda d, at: load_le64(d, at))\nd = np.zeros(100, np.uint8)\nprint(f(d, 92))\n"
        f"f(d, {offset})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "0\n"
    assert "IndexError" in done.stderr


def test_one_changed_byte_changes_the_hash() -> None:
    """Every byte counts, those behind the last whole word too."""
    data = np.arange(61).astype(np.uint8)
    before = pure.hash_bytes(data, 0, 61)
    seen = {before}
    for i in range(61):
        data[i] ^= 1
        seen.add(pure.hash_bytes(data, 0, 61))
        data[i] ^= 1
    assert len(seen) == 62
    assert before == pure.hash_bytes(data, 0, 61)
    assert before != pure.hash_bytes(data, 0, 60)
