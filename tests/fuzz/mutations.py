"""Seeded damage: a datagram and a number make a damaged datagram, the same one in every build and process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.kernel.pure import kernel, mix, shift_right

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words

ROOM: Final = 2048  # bytes of the longest damaged datagram
CHANGES: Final = 4  # places at most where one is changed
ANY: Final = -1
SALT: Final = 0x5851F42D4C957F2D


@kernel
def draw(seed: int, number: int, below: int) -> int:
    """Return the number-th draw of a seed: 0 to below - 1."""
    return int(shift_right(mix(number, mix(seed, SALT)), 1) % below)


@kernel
def damage(seed: int, which: int, corpus: Bytes, starts: Words, out: Bytes) -> int:
    """Write a damaged datagram to the beginning of `out` and return its length.

    One in eight is left whole, so that what a decoder remembers of good ones meets damage. Of the others each change
    is a flipped bit, a byte of a value that lengths and counts dislike, two such bytes, or bytes of another datagram;
    then one in four is cut, and one in eight is lengthened.

    Args:
        seed: of this datagram.
        which: datagram of the corpus; ANY: one by chance.
        corpus: uint8[n], whole datagrams one behind the other.
        starts: int64[m + 1], where each begins; the last is n.
        out: uint8[ROOM].
    """
    if which == ANY:
        which = draw(seed, 0, len(starts) - 1)
    length = min(starts[which + 1] - starts[which], ROOM)
    for i in range(length):
        out[i] = corpus[starts[which] + i]
    if draw(seed, 1, 8) == 0 or length == 0:
        return int(length)
    for change in range(1 + draw(seed, 2, CHANGES)):
        number = 16 + 8 * change
        at = draw(seed, number, length)
        kind = draw(seed, number + 1, 4)
        if kind == 0:
            out[at] ^= 1 << draw(seed, number + 2, 8)
        elif kind == 1:
            out[at] = _odd(draw(seed, number + 2, 8))
        elif kind == 2:
            out[at] = _odd(draw(seed, number + 2, 8))
            out[min(at + 1, length - 1)] = _odd(draw(seed, number + 3, 8))
        else:
            source = draw(seed, number + 2, len(corpus))
            for i in range(min(1 + draw(seed, number + 3, 8), length - at, len(corpus) - source)):
                out[at + i] = corpus[source + i]
    if draw(seed, 3, 4) == 0:
        return draw(seed, 4, length + 1)
    if draw(seed, 5, 8) == 0:
        extra = min(1 + draw(seed, 6, 16), ROOM - length)
        for i in range(extra):
            out[length + i] = draw(seed, 64 + i, 256)
        length += extra
    return int(length)


@kernel
def _odd(which: int) -> int:
    """Return a byte at an edge of what lengths, counts and codes may be."""
    if which < 2:
        return 0 if which == 0 else 1
    if which < 4:
        return 0x7F if which == 2 else 0x80
    if which < 6:
        return 0xFE if which == 4 else 0xFF
    return 2 if which == 6 else 0x20
