"""A market that never was: random orders around moving prices, as ITCH 5.0 messages, by a kernel.

Orders arrive near the opposite touch, mostly within a few ticks; prices move because the best level is used up, and
when one comes near the end of its ladder, the flow leans back. Half of the deletes, cancels and replaces hit one of the
last RECENT orders, as most real ones do, the other half any live order. What chance picks and the book does not allow
(to execute where there is no order) becomes an add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from numba import njit

from simbench.kernel.pure import kernel, store_be16, store_be32, store_be64
from simbench.protocol.itch50_layout import SIZES, offset
from simbench.synth.itch_ladder import (
    BUY,
    CENT,
    FREE,
    HIGH,
    LIVE,
    MATCH,
    RECENT,
    RECENT_AT,
    REFERENCE,
    SELL,
    SHOCK_FROM,
    SHOCK_SIDE,
    SHOCK_TO,
    TARGET,
    TICKS,
    choose,
    distance,
    link,
    place_for,
    release,
    some_shares,
    unlink,
)
from simbench.synth.random import below, draw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Numbers = NDArray[np.int32]
    Records = NDArray[Any]

PICKS: Final = 65_536  # entries in the table of instruments that activity is drawn from
LONGEST: Final = max(SIZES.values()) + 2

# Of 1,024 messages, up to here: deletes, replaces, executions, cancels, trades, and the rare ones; the rest are adds.
CALM: Final = (380, 475, 540, 570, 582, 585)
SHOCK: Final = (340, 420, 590, 615, 640, 643)

TYPE_A, TYPE_D, TYPE_U, TYPE_E, TYPE_X, TYPE_F = (ord(letter) for letter in "ADUEXF")
TYPE_C, TYPE_P, TYPE_Q, TYPE_B, TYPE_I, TYPE_N = (ord(letter) for letter in "CPQBIN")
A_SIZE, D_SIZE, U_SIZE, E_SIZE, X_SIZE, F_SIZE = (SIZES[letter] for letter in "ADUEXF")
C_SIZE, P_SIZE, Q_SIZE, B_SIZE, I_SIZE, N_SIZE = (SIZES[letter] for letter in "CPQBIN")
A_REFERENCE, A_SIDE, A_SHARES = offset("A", "reference"), offset("A", "side"), offset("A", "shares")
A_STOCK, A_PRICE, F_ATTRIBUTION = offset("A", "stock"), offset("A", "price"), offset("F", "attribution")
E_SHARES, E_MATCH, X_SHARES = offset("E", "shares"), offset("E", "match"), offset("X", "shares")
C_PRINTABLE, C_PRICE = offset("C", "printable"), offset("C", "price")
U_NEW, U_SHARES, U_PRICE = offset("U", "new_reference"), offset("U", "shares"), offset("U", "price")
P_MATCH, B_MATCH, N_STOCK, N_INTEREST = (
    offset("P", "match"),
    offset("B", "match"),
    offset("N", "stock"),
    offset("N", "interest"),
)
Q_SHARES, Q_STOCK, Q_PRICE = offset("Q", "shares"), offset("Q", "stock"), offset("Q", "price")
Q_MATCH, Q_TYPE = offset("Q", "match"), offset("Q", "cross_type")
I_PAIRED, I_IMBALANCE = offset("I", "paired_shares"), offset("I", "imbalance_shares")
I_DIRECTION, I_STOCK, I_FAR = offset("I", "direction"), offset("I", "stock"), offset("I", "far_price")
I_NEAR, I_REFERENCE = offset("I", "near_price"), offset("I", "reference_price")
I_TYPE, I_VARIATION = offset("I", "cross_type"), offset("I", "variation")
SIDES: Final = (ord("B"), ord("S"))
YES, NO, SMALL, HALT_CROSS = ord("Y"), ord("N"), ord("L"), ord("H")
ATTRIBUTIONS: Final = tuple(int.from_bytes(name, "big") for name in (b"SIMA", b"SIMB", b"SIMC", b"SIMD"))


@njit(inline="always")
def begin(data: Bytes, at: int, size: int, letter: int, locate: int, time: int) -> int:
    """Store a message's length and head; return where the message starts."""
    store_be16(data, at, size)
    data[at + 2] = letter
    store_be16(data, at + 3, locate)
    store_be16(data, at + 5, 0)
    store_be16(data, at + 7, time >> 32)
    store_be32(data, at + 9, time & 0xFFFF_FFFF)
    return at + 2


@kernel
def generate(
    due: Words,
    midnight: int,
    words: Words,
    random: Words,
    orders: Records,
    heads: Numbers,
    tails: Numbers,
    tops: Records,
    recent: Numbers,
    picks: Numbers,
    data: Bytes,
    starts: Words,
) -> int:
    """Write one message for each time that is due; return the bytes written.

    Args:
        due: int64[n], ns since 1970.
        midnight: what the messages' times count from, ns since 1970.
        words: int64[WORDS] of the market.
        random: int64[2].
        orders: ORDER[m], slot 0 unused; two more than TARGET at least.
        heads: int32[instruments * 2 * TICKS], slot of each queue's first order, 0 none.
        tails: likewise, of the last.
        tops: TOP[instruments].
        recent: int32[RECENT], slots.
        picks: int32[PICKS], instruments, as often as they are active.
        data: out, uint8[n * LONGEST].
        starts: out, int64[n + 1].
    """
    starts[0] = 0
    for index in range(len(due)):
        at = starts[index]
        time = due[index] - midnight
        shock = words[SHOCK_FROM] <= due[index] < words[SHOCK_TO]
        deletes, replaces, executes, cancels, trades, rares = SHOCK if shock else CALM
        bits = draw(random)
        dice = bits & 1023
        if dice >= rares and words[LIVE] >= words[TARGET]:
            dice = 0
        elif dice < deletes and words[LIVE] < words[TARGET] - (words[TARGET] >> 4) and bits >> 40 & 3:
            dice = 1023
        instrument = int(picks[bits >> 16 & (PICKS - 1)])
        size = 0
        if dice < replaces:
            slot = choose(orders, words, recent, random)
            if slot:
                instrument = int(orders[slot]["instrument"])
                unlink(orders, heads, tails, tops, slot)
                if dice < deletes:
                    size = delete(data, at, time, orders, words, slot)
                else:
                    size = replace(data, at, time, orders, heads, tails, tops, words, random, slot)
        elif dice < executes:
            side = words[SHOCK_SIDE] if shock else -1
            size = execute(data, at, time, orders, heads, tails, tops, words, random, instrument, side)
        elif dice < cancels:
            size = cancel(data, at, time, orders, choose(orders, words, recent, random), random)
        elif dice < trades:
            size = trade(data, at, instrument + 1, time, tops[instrument], words, random)
        elif dice < rares:
            size = rare(data, at, instrument + 1, time, tops[instrument], words, random)
        if size == 0:
            size = add(data, at, time, orders, heads, tails, tops, recent, words, random, instrument)
        top = tops[instrument]
        if top["bid"] >= 0 and top["ask"] < TICKS:
            top["middle"] = (top["bid"] + top["ask"]) >> 1
        starts[index + 1] = at + size
    return int(starts[len(due)])


@kernel
def add(
    data: Bytes,
    at: int,
    time: int,
    orders: Records,
    heads: Numbers,
    tails: Numbers,
    tops: Records,
    recent: Numbers,
    words: Words,
    random: Words,
    instrument: int,
) -> int:
    """Write an A, or an F for one in thirty-two; return its bytes with the length, as all of these do."""
    bits = draw(random)
    top = tops[instrument]
    side = bits & 1
    place = place_for(top, side, distance(random))
    if place < 0:
        side = 1 - side
        place = place_for(top, side, distance(random))
    slot = words[FREE]
    if slot:
        words[FREE] = orders[slot]["next"]
    else:
        words[HIGH] += 1
        slot = words[HIGH]
    words[LIVE] += 1
    words[REFERENCE] += 1
    order = orders[slot]
    order["reference"] = words[REFERENCE]
    order["instrument"] = instrument
    order["shares"] = some_shares(random)
    link(orders, heads, tails, tops, slot, place)
    recent[words[RECENT_AT]] = slot
    words[RECENT_AT] = (words[RECENT_AT] + 1) & (RECENT - 1)
    attributed = bits >> 8 & 31 == 0
    size = F_SIZE if attributed else A_SIZE
    message = begin(data, at, size, TYPE_F if attributed else TYPE_A, instrument + 1, time)
    store_be64(data, message + A_REFERENCE, words[REFERENCE])
    data[message + A_SIDE] = SIDES[side]
    store_be32(data, message + A_SHARES, order["shares"])
    store_be64(data, message + A_STOCK, top["stock"])
    store_be32(data, message + A_PRICE, top["price"] + place % TICKS * CENT)
    if attributed:
        store_be32(data, message + F_ATTRIBUTION, ATTRIBUTIONS[bits >> 16 & 3])
    return 2 + size


@kernel
def delete(data: Bytes, at: int, time: int, orders: Records, words: Words, slot: int) -> int:
    """Write a D for an order that is out of its queue already."""
    message = begin(data, at, D_SIZE, TYPE_D, int(orders[slot]["instrument"]) + 1, time)
    store_be64(data, message + A_REFERENCE, orders[slot]["reference"])
    release(orders, words, slot)
    return 2 + D_SIZE


@kernel
def replace(
    data: Bytes,
    at: int,
    time: int,
    orders: Records,
    heads: Numbers,
    tails: Numbers,
    tops: Records,
    words: Words,
    random: Words,
    slot: int,
) -> int:
    """Write a U for an order that is out of its queue already: same side, new id, new size, most often a new price."""
    order = orders[slot]
    instrument = int(order["instrument"])
    top = tops[instrument]
    place = int(order["place"])
    moved = place_for(top, place // TICKS, distance(random))
    place = moved if moved >= 0 else place
    message = begin(data, at, U_SIZE, TYPE_U, instrument + 1, time)
    store_be64(data, message + A_REFERENCE, order["reference"])
    words[REFERENCE] += 1
    order["reference"] = words[REFERENCE]
    order["shares"] = some_shares(random)
    store_be64(data, message + U_NEW, words[REFERENCE])
    store_be32(data, message + U_SHARES, order["shares"])
    store_be32(data, message + U_PRICE, top["price"] + place % TICKS * CENT)
    link(orders, heads, tails, tops, slot, place)
    return 2 + U_SIZE


@kernel
def execute(
    data: Bytes,
    at: int,
    time: int,
    orders: Records,
    heads: Numbers,
    tails: Numbers,
    tops: Records,
    words: Words,
    random: Words,
    instrument: int,
    forced: int,
) -> int:
    """Write an E, or for one in sixteen a C at half a tick better, for the first order of a best level; 0 without one.

    The side that is hit is the forced one; else the trend's in two of three; but near the end of the ladder always the
    one that leads back.
    """
    bits = draw(random)
    top = tops[instrument]
    if bits & 255 == 0:
        top["trend"] = 1 - top["trend"]
    side = top["trend"] if (bits >> 8 & 0xFFFF) % 3 else 1 - top["trend"]
    side = forced if forced >= 0 else side
    if top["middle"] > TICKS * 5 // 8:
        side = BUY
    elif top["middle"] < TICKS * 3 // 8:
        side = SELL
    if side == BUY and top["bid"] < 0:
        side = SELL
    elif side == SELL and top["ask"] >= TICKS:
        side = BUY
    tick = top["bid"] if side == BUY else top["ask"]
    if tick < 0 or tick >= TICKS:
        return 0
    slot = int(heads[(instrument * 2 + side) * TICKS + tick])
    order = orders[slot]
    shares = int(order["shares"])
    taken = shares if bits >> 24 & 3 else 1 + below(random, shares)
    priced = bits >> 26 & 15 == 0
    size = C_SIZE if priced else E_SIZE
    message = begin(data, at, size, TYPE_C if priced else TYPE_E, instrument + 1, time)
    words[MATCH] += 1
    store_be64(data, message + A_REFERENCE, order["reference"])
    store_be32(data, message + E_SHARES, taken)
    store_be64(data, message + E_MATCH, words[MATCH])
    if priced:
        better = CENT // 2 if side == BUY else -CENT // 2
        data[message + C_PRINTABLE] = YES if bits >> 30 & 3 else NO
        store_be32(data, message + C_PRICE, top["price"] + tick * CENT + better)
    order["shares"] = shares - taken
    if taken == shares:
        unlink(orders, heads, tails, tops, slot)
        release(orders, words, slot)
    return 2 + size


@kernel
def cancel(data: Bytes, at: int, time: int, orders: Records, slot: int, random: Words) -> int:
    """Write an X that leaves something of an order; 0 for an order of one share, or none."""
    shares = int(orders[slot]["shares"])
    if slot == 0 or shares < 2:
        return 0
    gone = 1 + below(random, shares - 1)
    message = begin(data, at, X_SIZE, TYPE_X, int(orders[slot]["instrument"]) + 1, time)
    store_be64(data, message + A_REFERENCE, orders[slot]["reference"])
    store_be32(data, message + X_SHARES, gone)
    orders[slot]["shares"] = shares - gone
    return 2 + X_SIZE


@kernel
def trade(data: Bytes, at: int, locate: int, time: int, top: Any, words: Words, random: Words) -> int:
    """Write a P: a trade against an order that is not displayed, in the middle."""
    words[MATCH] += 1
    message = begin(data, at, P_SIZE, TYPE_P, locate, time)
    store_be64(data, message + A_REFERENCE, 0)
    data[message + A_SIDE] = SIDES[BUY]
    store_be32(data, message + A_SHARES, some_shares(random))
    store_be64(data, message + A_STOCK, top["stock"])
    store_be32(data, message + A_PRICE, top["price"] + top["middle"] * CENT)
    store_be64(data, message + P_MATCH, words[MATCH])
    return 2 + P_SIZE


@kernel
def rare(data: Bytes, at: int, locate: int, time: int, top: Any, words: Words, random: Words) -> int:
    """Write a cross, a broken trade, an imbalance or a note on retail interest."""
    bits = draw(random)
    price = top["price"] + top["middle"] * CENT
    kind = bits & 3
    if kind == 0:
        words[MATCH] += 1
        message = begin(data, at, Q_SIZE, TYPE_Q, locate, time)
        store_be64(data, message + Q_SHARES, some_shares(random))
        store_be64(data, message + Q_STOCK, top["stock"])
        store_be32(data, message + Q_PRICE, price)
        store_be64(data, message + Q_MATCH, words[MATCH])
        data[message + Q_TYPE] = HALT_CROSS
        return 2 + Q_SIZE
    if kind == 1:
        message = begin(data, at, B_SIZE, TYPE_B, locate, time)
        store_be64(data, message + B_MATCH, 1 + below(random, min(words[MATCH], 1 << 30)))
        return 2 + B_SIZE
    if kind == 2:
        message = begin(data, at, I_SIZE, TYPE_I, locate, time)
        store_be64(data, message + I_PAIRED, some_shares(random))
        store_be64(data, message + I_IMBALANCE, some_shares(random))
        data[message + I_DIRECTION] = SIDES[bits >> 8 & 1]
        store_be64(data, message + I_STOCK, top["stock"])
        store_be32(data, message + I_FAR, price)
        store_be32(data, message + I_NEAR, price)
        store_be32(data, message + I_REFERENCE, price)
        data[message + I_TYPE] = HALT_CROSS
        data[message + I_VARIATION] = SMALL
        return 2 + I_SIZE
    message = begin(data, at, N_SIZE, TYPE_N, locate, time)
    store_be64(data, message + N_STOCK, top["stock"])
    data[message + N_INTEREST] = SIDES[bits >> 8 & 1]
    return 2 + N_SIZE
