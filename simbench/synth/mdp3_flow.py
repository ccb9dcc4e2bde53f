"""A futures market that never was, as CME MDP 3.0 sends it: an order flow, and what it does to the ten levels shown.

The books beneath are full, order by order (itch_ladder); what is sent is their best ten levels, each with its quantity
and number of orders (mdp3_levels). A trade is an event of several messages at one time: trade, volume, book, and the
session's high or low where it is one. Implied levels are a little market of their own, two levels deep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import types

from simbench.kernel.pure import kernel_as
from simbench.protocol.contract import DATA, WORDS
from simbench.synth import mdp3_wire as wire
from simbench.synth.itch_ladder import (
    BUY,
    HIGH,
    LIVE,
    MATCH,
    REFERENCE,
    SELL,
    SHOCK_FROM,
    SHOCK_SIDE,
    SHOCK_TO,
    TARGET,
    TICKS,
    choose,
    release,
)
from simbench.synth.mdp3_levels import FIRST_ORDER, FIRST_SECURITY, acting, add, change, delete, level_entry, show
from simbench.synth.mdp3_market import (
    DEPTH,
    EVENT_EXTREME,
    EVENT_INSTRUMENT,
    EVENT_SIDE,
    EVENT_TAKEN,
    EVENT_TIME,
    IMPLIED_DEPTH,
    MARKET,
    PICKS,
    QUOTES,
    RESET_AT,
    ROOM,
    STAGE,
    TICK,
    Market,
    count_orders,
    leave,
    next_report,
    reset,
    resize,
    tick_of_rank,
)
from simbench.synth.random import below, draw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

CHANNEL: Final = 999
LONGEST: Final = 1_388  # bytes of a message, so that a datagram holds it
MOST_ORDERS: Final = 36  # orders that one message deletes at most
MOST_FROM: Final = 3  # levels that a DeleteFrom takes at most

# Of 1,024 events, up to here: deletes, changed orders, trades, implied levels, and the rare ones; the rest are adds.
CALM: Final = (340, 440, 485, 545, 560)
SHOCK: Final = (320, 380, 480, 520, 545)


@acting(4)
def trade(market: Market, data: Bytes, at: int, time: int, instrument: int, forced: int) -> int:
    """Trade with the first order of a best level: the first message of that event; 0 without an order.

    The side that is hit is the forced one; else the trend's in two of three; but near the end of the ladder always the
    one that leads back.
    """
    words, random, top = market.words, market.random, market.tops[instrument]
    bits = draw(random)
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
    order = market.orders[market.heads[(instrument * 2 + side) * TICKS + tick]]
    taken = int(order["shares"]) if bits >> 24 & 3 else 1 + below(random, int(order["shares"]))
    words[EVENT_INSTRUMENT] = instrument
    words[EVENT_SIDE] = side
    words[EVENT_TAKEN] = taken
    words[EVENT_EXTREME] = 0
    if top["high"] < tick:
        top["high"] = tick
        words[EVENT_EXTREME] = 55
    elif top["low"] < 0 or top["low"] > tick:
        top["low"] = tick
        words[EVENT_EXTREME] = 56
    words[STAGE] = 1
    words[MATCH] += 1
    words[REFERENCE] += 1
    top["volume"] += taken
    return wire.write_trade(
        data,
        at,
        instrument & 1,
        time,
        top["price"] + tick * TICK,
        taken,
        FIRST_SECURITY + instrument,
        next_report(top),
        1 - side,
        words[MATCH],
        FIRST_ORDER + words[REFERENCE],
        FIRST_ORDER + order["reference"],
    )


@acting(3)
def imply(market: Market, data: Bytes, at: int, time: int, instrument: int) -> int:
    """Let an implied level come, change or go."""
    random, top = market.random, market.tops[instrument]
    bits = draw(random)
    side = bits & 1
    ticks, levels = top["implied"], top["implied_levels"]
    first, count = side * IMPLIED_DEPTH, int(levels[side])
    opposite = int(ticks[(1 - side) * IMPLIED_DEPTH]) if levels[1 - side] else -1
    quantity = 1 + below(random, 20)
    toward = -1 if side == BUY else 1
    tick = int(top["middle"]) + toward * (1 + below(random, 4))
    if opposite >= 0 and (opposite - tick) * toward >= 0:
        tick = opposite + toward
    level = 0
    while level < count and (tick - int(ticks[first + level])) * toward > 0:
        level += 1
    if count and bits >> 8 & 3 == 0:
        level = bits >> 16 & 1 if count > 1 else 0
        tick = int(ticks[first + level])
        action, quantity = wire.DELETE, 0
        if level == 0:
            ticks[first] = ticks[first + 1]
        levels[side] = count - 1
    elif level == IMPLIED_DEPTH or (level < count and ticks[first + level] == tick):
        level = min(level, count - 1)
        tick = int(ticks[first + level])
        action = wire.CHANGE
    elif not 0 <= tick < TICKS:
        return 0
    else:
        action = wire.NEW
        if level == 0:
            ticks[first + 1] = ticks[first]
        ticks[first + level] = tick
        levels[side] = min(count + 1, IMPLIED_DEPTH)
    indicator = wire.LAST_IMPLIED | wire.END_OF_EVENT
    old = instrument & 1
    end = wire.begin_event(data, at, wire.BOOK, old, time, indicator, wire.BOOK_SIZE, 1)
    end = wire.put_level(
        data,
        end,
        old,
        top["price"] + tick * TICK,
        quantity,
        FIRST_SECURITY + instrument,
        next_report(top),
        wire.NO_NUMBER,
        level + 1,
        action,
        69 + side,
    )
    return wire.finish(data, at, wire.begin_orders(data, end, wire.ORDER_SIZE, 0))


@acting(5)
def sweep(market: Market, data: Bytes, at: int, time: int, instrument: int, side: int, levels: int) -> int:
    """Take away the best levels of a side, or all of it where that has few orders; 0 where neither fits a message."""
    row = (instrument * 2 + side) * TICKS
    through = count_orders(market, instrument, side, TICKS) <= MOST_ORDERS
    wanted = TICKS if through else levels
    orders = count_orders(market, instrument, side, wanted)
    if orders == 0 or orders > MOST_ORDERS:
        return 0
    incoming = 0
    while not through and incoming < levels and tick_of_rank(market, instrument, side, DEPTH + 1 + incoming) >= 0:
        incoming += 1
    old = instrument & 1
    indicator = wire.LAST_QUOTE | wire.END_OF_EVENT
    end = wire.begin_event(data, at, wire.BOOK, old, time, indicator, wire.BOOK_SIZE, 1 + incoming)
    action = wire.DELETE_THRU if through else wire.DELETE_FROM
    named = 1 if through else levels
    place = side * TICKS + tick_of_rank(market, instrument, side, named)
    end = level_entry(market, data, end, place, instrument, named, action)
    for index in range(incoming):
        tick = tick_of_rank(market, instrument, side, DEPTH + 1 + index)
        level = DEPTH - levels + 1 + index
        end = level_entry(market, data, end, side * TICKS + tick, instrument, level, wire.NEW)
    end = wire.begin_orders(data, end, wire.ORDER_SIZE, orders)
    for _ in range(orders):
        top = market.tops[instrument]
        tick = top["bid"] if side == BUY else top["ask"]
        slot = int(market.heads[row + tick])
        number = FIRST_ORDER + market.orders[slot]["reference"]
        end = wire.put_order(data, end, number, market.priorities[slot], 0, wire.DELETE)
        leave(market, slot)
        release(market.orders, market.words, slot)
    return wire.finish(data, at, end)


@acting(3)
def clear_book(market: Market, data: Bytes, at: int, time: int, instrument: int) -> int:
    """Reset one book: a single entry says that all its levels and orders are gone."""
    for slot in range(1, market.words[HIGH] + 1):
        order = market.orders[slot]
        if order["reference"] and order["instrument"] == instrument:
            leave(market, slot)
            release(market.orders, market.words, slot)
    top = market.tops[instrument]
    top["implied_levels"][0] = 0
    top["implied_levels"][1] = 0
    old = instrument & 1
    indicator = wire.LAST_QUOTE | wire.END_OF_EVENT
    end = wire.begin_event(data, at, wire.BOOK, old, time, indicator, wire.BOOK_SIZE, 1)
    end = wire.put_level(data, end, old, 0, 0, FIRST_SECURITY + instrument, next_report(top), 0, 1, wire.DELETE, 74)
    return wire.finish(data, at, wire.begin_orders(data, end, wire.ORDER_SIZE, 0))


@acting(3)
def rare(market: Market, data: Bytes, at: int, time: int, instrument: int) -> int:
    """Write what seldom comes: statistics, limits, a status, a quote request, a trade of old, levels by the dozen."""
    words, random, top = market.words, market.random, market.tops[instrument]
    bits = draw(random)
    old, security = instrument & 1, FIRST_SECURITY + instrument
    price = top["price"] + top["middle"] * TICK
    kind = bits & 7
    if kind == 0:
        entry_type = 54 if bits >> 8 & 1 else 66 + (bits >> 9 & 1)
        quantity = wire.NO_NUMBER if entry_type == 54 else top["volume"]
        return wire.write_daily(data, at, old, time, price, quantity, security, next_report(top), entry_type)
    if kind == 1:
        band = TICKS * TICK
        return wire.write_limits(data, at, old, time, price + band, price - band, band, security, next_report(top))
    if kind == 2:
        return wire.write_session(data, at, old, time, price, security, next_report(top), 52)
    if kind == 3:
        return wire.write_status(data, at, old, time, security, 17)
    if kind == 4:
        words[QUOTES] += 1
        return wire.write_quote_request(data, at, old, time, words[QUOTES], security, 1 + below(random, 100))
    if kind == 5 and old:
        words[MATCH] += 1
        quantity = 1 + below(random, 10)
        return wire.write_single_trade(data, at, time, price, quantity, security, next_report(top), words[MATCH])
    if kind == 6 and bits >> 8 & 3 == 0:
        return clear_book(market, data, at, time, instrument)
    return sweep(market, data, at, time, instrument, bits >> 8 & 1, 1 + (bits >> 16 & 0xFF) % MOST_FROM)


@acting(1)
def follow_up(market: Market, data: Bytes, at: int) -> int:
    """Write the next message of a trade's event: volume, book, and a new high or low."""
    words = market.words
    instrument = words[EVENT_INSTRUMENT]
    top = market.tops[instrument]
    time, old = words[EVENT_TIME], instrument & 1
    security = FIRST_SECURITY + instrument
    if words[STAGE] == 1:
        words[STAGE] = 2
        return wire.write_volume(data, at, old, time, top["volume"], security, next_report(top))
    if words[STAGE] == 2:
        words[STAGE] = 3 if words[EVENT_EXTREME] else 0
        side = words[EVENT_SIDE]
        tick = top["bid"] if side == BUY else top["ask"]
        slot = int(market.heads[(instrument * 2 + side) * TICKS + tick])
        ends = 0 if words[EVENT_EXTREME] else wire.END_OF_EVENT
        if words[EVENT_TAKEN] == market.orders[slot]["shares"]:
            return delete(market, data, at, time, slot)
        resize(market, slot, market.orders[slot]["shares"] - words[EVENT_TAKEN])
        return show(market, data, at, time, slot, wire.CHANGE, wire.LAST_QUOTE | ends)
    words[STAGE] = 0
    tick = top["high"] if words[EVENT_EXTREME] == 55 else top["low"]
    price = top["price"] + tick * TICK
    return wire.write_session(data, at, old, time, price, security, next_report(top), words[EVENT_EXTREME])


@acting(2)
def event(market: Market, data: Bytes, at: int, time: int) -> int:
    """Write an event, or the first message of one; return the message's end, as all of these do."""
    words, random = market.words, market.random
    if words[RESET_AT] != 0 and time >= words[RESET_AT]:
        words[RESET_AT] = 0
        reset(market)
        return wire.write_reset(data, at, time, CHANNEL)
    shock = words[SHOCK_FROM] <= time < words[SHOCK_TO]
    deletes, changes, trades, implieds, rares = SHOCK if shock else CALM
    bits = draw(random)
    dice = bits & 1023
    if dice >= rares and words[LIVE] >= words[TARGET]:
        dice = 0
    elif dice < deletes and words[LIVE] < words[TARGET] - (words[TARGET] >> 4) and bits >> 40 & 3:
        dice = 1023
    instrument = int(market.picks[bits >> 16 & (PICKS - 1)])
    end = 0
    if dice < changes:
        slot = choose(market.orders, words, market.recent, random)
        if slot and dice < deletes:
            end = delete(market, data, at, time, slot)
        elif slot:
            end = change(market, data, at, time, slot)
    elif dice < trades:
        end = trade(market, data, at, time, instrument, words[SHOCK_SIDE] if shock else -1)
    elif dice < implieds:
        end = imply(market, data, at, time, instrument)
    elif dice < rares:
        end = rare(market, data, at, time, instrument)
    return end or add(market, data, at, time, instrument)


@kernel_as(types.int64(WORDS, MARKET, DATA, WORDS))
def generate(due: Words, market: Market, data: Bytes, starts: Words) -> int:
    """Write one message for each time that is due, until data is full; return the bytes written.

    Args:
        due: int64[n], ns since 1970; what belongs to one event is moved to that event's time.
        market: its state.
        data: out, uint8[].
        starts: out, int64[n + 1]; words[ROOM] says how many of them are used.
    """
    words = market.words
    at = 0
    index = 0
    while index < len(due) and at + LONGEST <= len(data):
        starts[index] = at
        if words[STAGE] > 0:
            due[index] = words[EVENT_TIME]
            at = follow_up(market, data, at)
        else:
            words[EVENT_TIME] = due[index]
            at = event(market, data, at, due[index])
        index += 1
    starts[index] = at
    words[ROOM] = index
    return at
