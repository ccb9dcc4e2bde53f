"""Trees of prices as large as no state machine makes them."""

import numpy as np
from book_events import PRICE, Pair, events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbench import event
from simbench.book.layout import NODE_COUNT


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 299), st.booleans()), max_size=300), st.integers(0, 1 << 32))
def test_levels_come_and_go_in_any_order(moves: list[tuple[int, bool]], seed: int) -> None:
    """Trees of several levels split, lose nodes and shrink without breaking an invariant."""
    rng = np.random.default_rng(seed)
    pair = Pair(PRICE)
    filled = [(int(price), 1) for price in rng.permutation(300)]
    emptied = [(int(price), 0) for price in rng.permutation(300)]
    quantities = [*filled, *((price, int(there)) for price, there in moves), *emptied]
    rows = [{"kind": event.LEVEL, "instrument": 1, "price": p, "quantity": q} for p, q in quantities]
    for start in range(0, len(rows), 100):
        pair.apply(events(*rows[start : start + 100]))
        pair.agree()
    assert pair.engine.to_json()[0]["bids"] == []
    assert pair.engine.memory[NODE_COUNT] == 0
