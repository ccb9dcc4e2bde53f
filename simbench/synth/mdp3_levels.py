"""What an order that comes, changes or goes does to the ten levels shown, as CME MDP 3.0 sends it.

A level that goes lets an eleventh into view, which is sent as New at 10; a level that comes pushes the last one out,
which nobody says. The order goes along in the second group; one outside the levels shown comes as an order book refresh
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import types

from simbench.kernel.pure import F, kernel_as
from simbench.protocol.contract import DATA
from simbench.synth import mdp3_wire as wire
from simbench.synth.itch_ladder import (
    FREE,
    HIGH,
    LIVE,
    RECENT,
    RECENT_AT,
    REFERENCE,
    TICKS,
    distance,
    place_for,
    release,
)
from simbench.synth.mdp3_market import (
    DEPTH,
    MARKET,
    STAGE,
    TICK,
    Market,
    enter,
    leave,
    next_report,
    note_middle,
    rank_of_tick,
    resize,
    tick_of_rank,
)
from simbench.synth.random import below, draw

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

FIRST_SECURITY: Final = 100_001
FIRST_ORDER: Final = 640_000_000_000


def acting(words: int) -> Callable[[F], F]:
    """Compile a function of the market, a buffer and so many integers that returns one, as mdp3_wire.writer does."""
    return kernel_as(types.int64(MARKET, DATA, *[types.int64] * words))


@acting(5)
def level_entry(market: Market, data: Bytes, at: int, place: int, instrument: int, level: int, action: int) -> int:
    """Write an entry for a level as it is now."""
    side, tick = place // TICKS, place % TICKS
    top = market.tops[instrument]
    row = instrument * 2 * TICKS + place
    return wire.put_level(
        data,
        at,
        instrument & 1,
        top["price"] + tick * TICK,
        market.quantities[row],
        FIRST_SECURITY + instrument,
        next_report(top),
        market.counts[row],
        level,
        action,
        48 + side,
    )


@acting(5)
def show(market: Market, data: Bytes, at: int, time: int, slot: int, action: int, indicator: int) -> int:
    """Write what an order that is in its level now did to it: the level and the order."""
    order = market.orders[slot]
    instrument, place = int(order["instrument"]), int(order["place"])
    side, tick = place // TICKS, place % TICKS
    rank = rank_of_tick(market, instrument, side, tick)
    number, quantity = FIRST_ORDER + order["reference"], order["shares"]
    # an order comes new into a level that is there already; one that changes may be told by an overlay of its level
    order_action = wire.NEW if action == wire.NEW else wire.CHANGE
    if rank > DEPTH:
        price = market.tops[instrument]["price"] + tick * TICK
        return wire.write_full_order(
            data,
            at,
            instrument & 1,
            time,
            number,
            market.priorities[slot],
            price,
            quantity,
            FIRST_SECURITY + instrument,
            order_action,
            side,
        )
    if action == wire.NEW and market.counts[instrument * 2 * TICKS + place] > 1:
        action = wire.CHANGE
    entry = wire.begin_event(data, at, wire.BOOK, instrument & 1, time, indicator, wire.BOOK_SIZE, 1)
    end = level_entry(market, data, entry, place, instrument, rank, action)
    end = wire.begin_orders(data, end, wire.ORDER_SIZE, 1)
    end = wire.put_order(data, end, number, market.priorities[slot], quantity, order_action)
    return wire.finish(data, at, end)


@acting(3)
def add(market: Market, data: Bytes, at: int, time: int, instrument: int) -> int:
    """Add an order near the opposite touch."""
    words, random, top = market.words, market.random, market.tops[instrument]
    side = draw(random) & 1
    place = place_for(top, side, distance(random))
    if place < 0:
        side = 1 - side
        place = place_for(top, side, distance(random))
    slot = words[FREE]
    if slot:
        words[FREE] = market.orders[slot]["next"]
    else:
        words[HIGH] += 1
        slot = words[HIGH]
    words[LIVE] += 1
    words[REFERENCE] += 1
    order = market.orders[slot]
    order["reference"] = words[REFERENCE]
    order["instrument"] = instrument
    order["shares"] = 1 + below(random, 50)
    enter(market, slot, place)
    note_middle(top)
    market.recent[words[RECENT_AT]] = slot
    words[RECENT_AT] = (words[RECENT_AT] + 1) & (RECENT - 1)
    return show(market, data, at, time, slot, wire.NEW, wire.LAST_QUOTE | wire.END_OF_EVENT)


@acting(3)
def delete(market: Market, data: Bytes, at: int, time: int, slot: int) -> int:
    """Delete an order; where its level goes, an eleventh comes into view."""
    order = market.orders[slot]
    instrument, place = int(order["instrument"]), int(order["place"])
    side, tick = place // TICKS, place % TICKS
    number, priority = FIRST_ORDER + order["reference"], market.priorities[slot]
    rank = rank_of_tick(market, instrument, side, tick)
    row = instrument * 2 * TICKS + place
    goes = market.counts[row] == 1
    eleventh = tick_of_rank(market, instrument, side, DEPTH + 1) if goes and rank <= DEPTH else -1
    price = market.tops[instrument]["price"] + tick * TICK
    leave(market, slot)
    release(market.orders, market.words, slot)
    old, security = instrument & 1, FIRST_SECURITY + instrument
    if rank > DEPTH:
        return wire.write_full_order(data, at, old, time, number, priority, price, 0, security, wire.DELETE, side)
    ends = wire.END_OF_EVENT if market.words[STAGE] == 0 else 0
    entries = 2 if eleventh >= 0 else 1
    end = wire.begin_event(data, at, wire.BOOK, old, time, wire.LAST_QUOTE | ends, wire.BOOK_SIZE, entries)
    end = level_entry(market, data, end, place, instrument, rank, wire.DELETE if goes else wire.CHANGE)
    if eleventh >= 0:
        end = level_entry(market, data, end, side * TICKS + eleventh, instrument, DEPTH, wire.NEW)
    end = wire.begin_orders(data, end, wire.ORDER_SIZE, 1)
    return wire.finish(data, at, wire.put_order(data, end, number, priority, 0, wire.DELETE))


@acting(3)
def change(market: Market, data: Bytes, at: int, time: int, slot: int) -> int:
    """Give an order another size: smaller keeps its place, larger goes to the end of its level."""
    order = market.orders[slot]
    shares = 1 + below(market.random, 50)
    if shares == order["shares"]:
        return 0
    if shares < order["shares"]:
        resize(market, slot, shares)
    else:
        place = int(order["place"])
        leave(market, slot)
        order["shares"] = shares
        enter(market, slot, place)
    action = wire.OVERLAY if draw(market.random) & 15 == 0 else wire.CHANGE
    return show(market, data, at, time, slot, action, wire.LAST_QUOTE | wire.END_OF_EVENT)
