"""What the pipeline needs to know of the books' engine: the signature of the function that applies events."""

from __future__ import annotations

from typing import Final

import numba
from numba import types

from simbench.event import EVENT

APPLY_SIGNATURE: Final = types.int64(
    types.int64[::1], types.int64, numba.from_dtype(EVENT)[::1], types.int64, types.int64
)
APPLY_FUNCTION: Final = types.FunctionType(APPLY_SIGNATURE)
