"""The prices of one side in order: a B+ tree of nodes of 16 keys whose leaves form a list, the best one last.

A key is the price of a bid and the complement of the price of an ask: the higher the better, on both sides. Changes
are near the touch, so the last leaf is tried before anything else, and there the best keys stand last and move least.
A node that becomes empty is freed at once; half-empty ones are not joined, so that a price which comes and goes moves
nothing else. The height grows with the logarithm of the insertions whatever the prices are.

    side      word of memory where the side's four words begin: root, last leaf, levels, best price
    node      index in the nodes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book.layout import (
    BEST,
    COUNT,
    INT64_MAX,
    LAST,
    NODE_BETTER,
    NODE_CHILD,
    NODE_COUNT,
    NODE_FREE,
    NODE_HEIGHT,
    NODE_KEY,
    NODE_KEYS,
    NODE_SIZE,
    NODE_TOP,
    NODE_WORDS,
    NODE_WORSE,
    NODES,
    PATH,
    ROOT,
)
from simbench.kernel.pure import direct, direct_inlined

if TYPE_CHECKING:
    from simbench.kernel.pure import Words

HALF = NODE_KEYS // 2


@direct_inlined
def key_of(side_number: int, price: int) -> int:
    """Return the key of a price: the better, the higher; also the price of a key."""
    return ~price if side_number & 1 else price


@direct_inlined
def insert(memory: Words, side: int, key: int, record: int) -> None:
    """Put a key that is not in the tree where it belongs, with the record of its level."""
    memory[side + COUNT] += 1
    if memory[side + ROOT] < 0:
        root = _new_node(memory, 0)
        memory[side + ROOT] = root
        memory[side + LAST] = root
        _put(memory, root, 0, key, record)
        return
    leaf = memory[side + LAST]
    at = memory[NODES] + leaf * NODE_WORDS
    size = memory[at + NODE_SIZE]
    if size < NODE_KEYS and (key > memory[at + NODE_KEY] or memory[side + ROOT] == leaf):
        _put(memory, leaf, _rank(memory, at, key), key, record)
        return
    height = _descend(memory, side, key)
    leaf = memory[PATH]
    at = memory[NODES] + leaf * NODE_WORDS
    if memory[at + NODE_SIZE] == NODE_KEYS:
        _split(memory, side, height)
        _descend(memory, side, key)
        leaf = memory[PATH]
        at = memory[NODES] + leaf * NODE_WORDS
    _put(memory, leaf, _rank(memory, at, key), key, record)


@direct_inlined
def remove(memory: Words, side: int, key: int) -> None:
    """Take out a key that is in the tree."""
    memory[side + COUNT] -= 1
    leaf = memory[side + LAST]
    at = memory[NODES] + leaf * NODE_WORDS
    if memory[at + NODE_SIZE] > 1 and key >= memory[at + NODE_KEY]:
        _take(memory, leaf, _rank(memory, at, key))
        return
    height = _descend(memory, side, key)
    leaf = memory[PATH]
    at = memory[NODES] + leaf * NODE_WORDS
    _take(memory, leaf, _rank(memory, at, key))
    if memory[at + NODE_SIZE] == 0:
        _unlink_leaf(memory, side, leaf)
        _prune(memory, side, height)


@direct
def best(memory: Words, side: int) -> int:
    """Return the record of the best level of a side that has levels."""
    at = memory[NODES] + memory[side + LAST] * NODE_WORDS
    return int(memory[at + NODE_CHILD + memory[at + NODE_SIZE] - 1])


@direct_inlined
def refresh_best(memory: Words, side: int, side_number: int) -> None:
    """Write the best price beside the root, where judging a book finds it."""
    if memory[side + COUNT] > 0:
        at = memory[NODES] + memory[side + LAST] * NODE_WORDS
        memory[side + BEST] = key_of(side_number, memory[at + NODE_KEY + memory[at + NODE_SIZE] - 1])


@direct_inlined
def _rank(memory: Words, at: int, key: int) -> int:
    """Count the keys of a node below the given one; unused keys are above every other."""
    rank = 0
    for i in range(at + NODE_KEY, at + NODE_KEY + NODE_KEYS):
        rank += 1 if memory[i] < key else 0
    return rank


@direct
def _child(memory: Words, at: int, key: int) -> int:
    """Return the position of the child that a key belongs to; the first child takes all below its own key."""
    size = memory[at + NODE_SIZE]
    position = 0
    while position + 1 < size and memory[at + NODE_KEY + position + 1] <= key:
        position += 1
    return position


@direct
def _descend(memory: Words, side: int, key: int) -> int:
    """Write the way from the root to the key's leaf to PATH, two words a height; return the root's height."""
    node = memory[side + ROOT]
    height = memory[memory[NODES] + node * NODE_WORDS + NODE_HEIGHT]
    top = height
    while height > 0:
        at = memory[NODES] + node * NODE_WORDS
        position = _child(memory, at, key)
        memory[PATH + 2 * height] = node
        memory[PATH + 2 * height + 1] = position
        node = memory[at + NODE_CHILD + position]
        height -= 1
    memory[PATH] = node
    return int(top)


@direct
def _put(memory: Words, node: int, position: int, key: int, child: int) -> None:
    at = memory[NODES] + node * NODE_WORDS
    size = memory[at + NODE_SIZE]
    i = size
    while i > position:
        memory[at + NODE_KEY + i] = memory[at + NODE_KEY + i - 1]
        memory[at + NODE_CHILD + i] = memory[at + NODE_CHILD + i - 1]
        i -= 1
    memory[at + NODE_KEY + position] = key
    memory[at + NODE_CHILD + position] = child
    memory[at + NODE_SIZE] = size + 1


@direct
def _take(memory: Words, node: int, position: int) -> None:
    at = memory[NODES] + node * NODE_WORDS
    size = memory[at + NODE_SIZE] - 1
    for i in range(position, size):
        memory[at + NODE_KEY + i] = memory[at + NODE_KEY + i + 1]
        memory[at + NODE_CHILD + i] = memory[at + NODE_CHILD + i + 1]
    memory[at + NODE_KEY + size] = INT64_MAX
    memory[at + NODE_SIZE] = size


@direct
def _split(memory: Words, side: int, top: int) -> None:
    """Halve the full leaf of PATH, and every full node above it that has to take another child."""
    node = memory[PATH]
    new = _halve(memory, node)
    _link_leaf(memory, side, node, new)
    height = 0
    while height < top:
        height += 1
        key = memory[memory[NODES] + new * NODE_WORDS + NODE_KEY]
        parent = memory[PATH + 2 * height]
        position = memory[PATH + 2 * height + 1] + 1
        if memory[memory[NODES] + parent * NODE_WORDS + NODE_SIZE] < NODE_KEYS:
            _put(memory, parent, position, key, new)
            return
        other = _halve(memory, parent)
        if position > HALF:
            _put(memory, other, position - HALF, key, new)
        else:
            _put(memory, parent, position, key, new)
        node = parent
        new = other
    root = _new_node(memory, top + 1)
    _put(memory, root, 0, memory[memory[NODES] + node * NODE_WORDS + NODE_KEY], node)
    _put(memory, root, 1, memory[memory[NODES] + new * NODE_WORDS + NODE_KEY], new)
    memory[side + ROOT] = root


@direct
def _halve(memory: Words, node: int) -> int:
    """Move the upper half of a full node to a new one of the same height and return that."""
    old = memory[NODES] + node * NODE_WORDS
    new = _new_node(memory, memory[old + NODE_HEIGHT])
    at = memory[NODES] + new * NODE_WORDS
    for i in range(HALF):
        memory[at + NODE_KEY + i] = memory[old + NODE_KEY + HALF + i]
        memory[at + NODE_CHILD + i] = memory[old + NODE_CHILD + HALF + i]
        memory[old + NODE_KEY + HALF + i] = INT64_MAX
    memory[at + NODE_SIZE] = HALF
    memory[old + NODE_SIZE] = HALF
    return new


@direct
def _link_leaf(memory: Words, side: int, leaf: int, new: int) -> None:
    """Hang a new leaf into the list as the next better one."""
    at = memory[NODES] + leaf * NODE_WORDS
    fresh = memory[NODES] + new * NODE_WORDS
    better = memory[at + NODE_BETTER]
    memory[fresh + NODE_WORSE] = leaf
    memory[fresh + NODE_BETTER] = better
    memory[at + NODE_BETTER] = new
    if better >= 0:
        memory[memory[NODES] + better * NODE_WORDS + NODE_WORSE] = new
    else:
        memory[side + LAST] = new


@direct
def _unlink_leaf(memory: Words, side: int, leaf: int) -> None:
    at = memory[NODES] + leaf * NODE_WORDS
    worse = memory[at + NODE_WORSE]
    better = memory[at + NODE_BETTER]
    if worse >= 0:
        memory[memory[NODES] + worse * NODE_WORDS + NODE_BETTER] = better
    if better >= 0:
        memory[memory[NODES] + better * NODE_WORDS + NODE_WORSE] = worse
    else:
        memory[side + LAST] = worse


@direct
def _prune(memory: Words, side: int, top: int) -> None:
    """Free the empty leaf of PATH and the nodes above it that it leaves empty; a root with one child goes too."""
    _free_node(memory, memory[PATH])
    height = 1
    while height <= top:
        node = memory[PATH + 2 * height]
        _take(memory, node, memory[PATH + 2 * height + 1])
        if memory[memory[NODES] + node * NODE_WORDS + NODE_SIZE] > 0:
            break
        _free_node(memory, node)
        height += 1
    if height > top:
        memory[side + ROOT] = -1
        return
    root = memory[side + ROOT]
    at = memory[NODES] + root * NODE_WORDS
    while memory[at + NODE_HEIGHT] > 0 and memory[at + NODE_SIZE] == 1:
        child = memory[at + NODE_CHILD]
        _free_node(memory, root)
        root = child
        at = memory[NODES] + root * NODE_WORDS
    memory[side + ROOT] = root


@direct
def _new_node(memory: Words, height: int) -> int:
    """Take a node from the pool; the caller of `insert` has seen that there are enough."""
    node = memory[NODE_FREE]
    if node >= 0:
        memory[NODE_FREE] = memory[memory[NODES] + node * NODE_WORDS + NODE_WORSE]
    else:
        node = memory[NODE_TOP]
        memory[NODE_TOP] = node + 1
    memory[NODE_COUNT] += 1
    at = memory[NODES] + node * NODE_WORDS
    memory[at + NODE_SIZE] = 0
    memory[at + NODE_WORSE] = -1
    memory[at + NODE_BETTER] = -1
    memory[at + NODE_HEIGHT] = height
    for i in range(NODE_KEYS):
        memory[at + NODE_KEY + i] = INT64_MAX
    return int(node)


@direct
def _free_node(memory: Words, node: int) -> None:
    at = memory[NODES] + node * NODE_WORDS
    memory[at + NODE_HEIGHT] = -1
    memory[at + NODE_WORSE] = memory[NODE_FREE]
    memory[NODE_FREE] = node
    memory[NODE_COUNT] -= 1
