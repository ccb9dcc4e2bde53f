"""A pointer is to Numba what the function is, at the price of neither its type nor its address."""

from __future__ import annotations

from numba import njit, typeof, types

from simbench.kernel.pointer import Pointer, pointer
from simbench.kernel.pure import kernel_as

SIGNATURE = types.int64(types.int64)


@kernel_as(SIGNATURE)
def double(value: int) -> int:
    """Return twice a value."""
    return 2 * value


@njit
def call(function: object, value: int) -> int:
    """Call a first-class function."""
    result: int = function(value)  # type: ignore[operator]
    return result


def test_a_pointer_s_type_is_the_function_s_and_worked_out_once() -> None:
    """The same object at every look, equal to what Numba would make of the signature."""
    made = pointer(double, SIGNATURE)
    assert isinstance(made, Pointer)
    assert typeof(made) is typeof(made) is made.type
    assert typeof(made) == types.FunctionType(SIGNATURE)


def test_a_pointer_is_called_like_the_function() -> None:
    """From compiled code."""
    assert call(pointer(double, SIGNATURE), 21) == 42
