"""First-class functions that cost nothing to hand over.

Handed a compiled function, Numba works out its type and its address anew at every call: 50 us each, a millisecond for
the tables of a pipeline, as much as a block of a capture takes. A pointer has worked both out once.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import config
from numba.extending import typeof_impl

Base: Any = types.WrapperAddressProtocol


class Pointer(Base):  # type: ignore[misc]  # Numba's base class is untyped
    """The address of a compiled function, as Numba's protocol for such objects wants it.

    Args:
        function: compiled with that signature.
        signature: of the function.
    """

    def __init__(self, function: Any, signature: Any) -> None:
        from numba.experimental import function_type

        self._function = function  # kept alive as long as its address is
        self._signature = signature
        self.type: Any = types.FunctionType(signature)
        address_of: Any = function_type._get_wrapper_address  # noqa: SLF001 - what Numba calls itself
        self._address = address_of(function, signature)

    def __wrapper_address__(self) -> int:
        """Return the address."""
        return int(self._address)

    def signature(self) -> Any:
        """Return the signature."""
        return self._signature


@typeof_impl.register(Pointer)
def _type_of(value: Pointer, _context: Any) -> Any:
    """Return the type that was worked out once."""
    return value.type


def pointer(function: Any, signature: Any) -> Any:
    """Return what to hand over for a compiled function: its pointer, or itself where nothing is compiled."""
    return function if getattr(config, "DISABLE_JIT", 0) else Pointer(function, signature)
