"""What a receive loop needs to know of the dissector: the signature of its kernel."""

from __future__ import annotations

from typing import Final

import numba
from numba import types

from simbench.frame import FLOW, FRAME

DISSECT_SIGNATURE: Final = types.int64(
    types.uint8[::1],
    numba.from_dtype(FRAME)[::1],
    numba.from_dtype(FLOW)[::1],
    types.int64[::1],
    types.int64[::1],
    types.int64,
)
DISSECT_FUNCTION: Final = types.FunctionType(DISSECT_SIGNATURE)
