"""faults.toml: every mistake is one line that names fault and key; what a fault takes is what the script says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fault_bench import load, sent
from small_feeds import CME_FEED

from simbench.errors import SimbenchError
from simbench.faults.script import KINDS, Script, parse
from simbench.feed.definition import parse as parse_feed

if TYPE_CHECKING:
    from pathlib import Path

ITCH_FEED = CME_FEED.replace("cme.mdp3", "nasdaq.itch50").replace('"340"', '"itch"')


def fault(*keys: str, feed: str = ITCH_FEED) -> Script:
    """Parse a script of one fault."""
    return parse("[[fault]]\n" + "\n".join(keys), parse_feed(feed))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no [[fault]]"),
        ("[[fault]", "faults.toml is not TOML: expected ']]' at the end of an array declaration"),
        ("seed = -1", "seed: expected 0 or more"),
        ("fault = 3", "fault: expected a list, not a number"),
        ('[[fault]]\nline = "A"', "fault 1: it lacks 'kind'"),
        ('[[fault]]\nkind = "dropp"', "fault 1: kind: 'dropp' is none of: drop, dark, duplicate,"),
        ('[[fault]]\nkind = "drop"\n[[fault]]\nkind = "drop"\nwhen = 3', "fault 2: there is no such key as 'when'"),
        ('[[fault]]\nkind = "drop"\nprobability = 2', "fault 1: probability: expected 1.0 or less"),
        ('[[fault]]\nkind = "drop"\nprobability = 0', "fault 1: probability: expected more than 0.0"),
        ('[[fault]]\nkind = "drop"\nsequence = "x"', "fault 1: sequence: expected a number or a list, not text"),
        ('[[fault]]\nkind = "drop"\nsequence = [1, 2, 3]', "fault 1: sequence: expected first and last"),
        ('[[fault]]\nkind = "drop"\nsequence = [3, 2]', "fault 1 (drop): sequence [3, 2]: the first is after the last"),
        ('[[fault]]\nkind = "drop"\nsequence = -1', "fault 1 (drop): sequence: expected 0 or more"),
        ('[[fault]]\nkind = "drop"\nfrom = 3', "fault 1: from: expected text, not a number"),
        ('[[fault]]\nkind = "drop"\nfrom = "+3"\nto = "+2"', "fault 1 (drop): nothing is between from +3 and to +2"),
        ('[[fault]]\nkind = "drop"\nat = "noon"', "fault 1 (drop): 'noon' is no time"),
        ('[[fault]]\nkind = "drop"\nat = "+1"\nto = "+2"', "fault 1 (drop): at is a time of its own"),
        ('[[fault]]\nkind = "drop"\nline = "C"', "fault 1 (drop): there is no line 'C'; there are A, B"),
        ('[[fault]]\nkind = "drop"\nchannel = "C"', "fault 1 (drop): there is no channel 'C'; there are itch"),
        ('[[fault]]\nkind = "dark"\nprobability = 0.2', "fault 1: there is no such key as 'probability'"),
        ('[[fault]]\nkind = "delay"', "fault 1: it lacks 'delay'"),
        ('[[fault]]\nkind = "delay"\ndelay = "soon"', "fault 1 (delay): 'soon' is no duration"),
        ('[[fault]]\nkind = "skew"\ndelay = "0s"', "fault 1 (skew): a delay of nothing changes nothing"),
        ('[[fault]]\nkind = "split"\npieces = 1', "fault 1: pieces: expected 2 or more"),
        ('[[fault]]\nkind = "corrupt"\npart = "tail"', "fault 1: part: 'tail' is none of: messages, header, payload"),
        ('[[fault]]\nkind = "restart"\nline = "A"', "fault 1: there is no such key as 'line'"),
        ('[[fault]]\nkind = "restart"', "fault 1 (restart): say when: either sequence = 5700 or"),
        ('[[fault]]\nkind = "session"\nname = ""', "fault 1: name: expected some text"),
        ('[[fault]]\nkind = "session"\nname = "é"', "fault 1: name: expected printable ASCII characters"),
        (
            '[[fault]]\nkind = "session"\nname = "12345678901"\nat = "+1"',
            "a session of nasdaq.itch50 has 10 characters",
        ),
        ('[[fault]]\nkind = "duplicate"\ncopies = 100\n' * 4, "its faults make up to 104,060,401 frames of one"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_fault(text: str, said: str) -> None:
    """What is wrong, where, and nothing of the library that found it."""
    with pytest.raises(SimbenchError) as error:
        parse(text, parse_feed(ITCH_FEED))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "$" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (('kind = "split"',), "packets of cme.mdp3 (channel 340) cannot be cut into messages"),
        (('kind = "merge"',), "packets of cme.mdp3 (channel 340) cannot be cut into messages"),
        (('kind = "session"', 'name = "X"', "sequence = 9"), "cannot be given another session"),
    ],
)
def test_what_a_protocol_cannot_say_is_refused_in_one_line(keys: tuple[str, ...], said: str) -> None:
    """CME's packet is one unit and knows no sessions."""
    with pytest.raises(SimbenchError, match="fault 1") as error:
        fault(*keys, feed=CME_FEED)
    assert said in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(kind: str) -> None:
    """Each kind with the least that it needs."""
    more = {
        "delay": 'delay = "1ms"',
        "skew": 'delay = "1ms"',
        "restart": "sequence = 9",
        "session": 'sequence = 9\nname = "NEXT"',
    }
    assert fault(f'kind = "{kind}"', more.get(kind, "")).faults[0].kind == kind


def taken(path: Path, *keys: str) -> list[int]:
    """Return the ordinals of the datagrams that a drop with these keys takes."""
    left = {frame.ordinal for frame in sent(load(path, 'seed = 5\n[[fault]]\nkind = "drop"\n' + "\n".join(keys)))}
    return [frame.ordinal for frame in sent(load(path)) if frame.ordinal not in left]


def test_what_is_taken_is_what_the_script_says(mdp3: Path) -> None:
    """By line, sequence, time, every so many, at most so many, and all of that at once."""
    clean = sent(load(mdp3))
    start = clean[0].when
    ports = sorted({frame.port for frame in clean})
    numbers = {frame.ordinal: int.from_bytes(frame.payload[:4], "little") for frame in clean}
    line_a = [frame.ordinal for frame in clean if frame.port == ports[0]]
    late = [frame.ordinal for frame in clean if start + 200_000_000 <= frame.when < start + 300_000_000]
    assert min(len(line_a), len(late), len(set(line_a) & set(late))) > 20

    assert taken(mdp3, 'line = "A"') == line_a
    assert taken(mdp3, "sequence = 17") == [k for k, number in numbers.items() if number == 17]
    assert taken(mdp3, "sequence = [17, 21]") == [k for k, number in numbers.items() if 17 <= number <= 21]
    assert taken(mdp3, 'from = "+0.2s"', 'to = "+0.3s"') == late
    assert taken(mdp3, 'line = "A"', 'at = "+0.2s"') == [k for k in line_a if k in late][:1]
    assert taken(mdp3, 'line = "A"', "every = 7") == line_a[::7]
    assert taken(mdp3, 'line = "A"', "count = 3") == line_a[:3]
    assert taken(mdp3, 'line = "A"', 'from = "+0.2s"', 'to = "+0.3s"', "every = 3", "count = 4") == [
        k for k in line_a if k in late
    ][::3][:4]  # fmt: skip
    assert len(taken(mdp3, "count = 3")) == 6, "counted on each line by itself"


def test_chance_depends_on_seed_fault_and_ordinal_alone(mdp3: Path) -> None:
    """The share is about right; another seed takes others; a second fault in front of it changes nothing."""
    frames = len(sent(load(mdp3)))
    some = taken(mdp3, "probability = 0.2")
    assert 0.15 * frames < len(some) < 0.25 * frames

    def left(text: str) -> set[int]:
        return {frame.ordinal for frame in sent(load(mdp3, text))}

    one = left('seed = 6\n[[fault]]\nkind = "drop"\nprobability = 0.2')
    both = left('seed = 6\n[[fault]]\nkind = "drop"\nprobability = 0.2\n[[fault]]\nkind = "drop"\nsequence = [3, 90]')
    assert one != set(range(frames)) - set(some)
    assert both == one - set(taken(mdp3, "sequence = [3, 90]")) != one
