"""feed.toml: what it may say, what it may not, and that it comes back as it was written."""

import pytest

from simbench.errors import SimbenchError
from simbench.feed.definition import Channel, Feed, FeedRole, Line, dump, join_group, joined, parse, split_group

TEXT = """\
[[channel]]
venue = "cme"
name = "340"
protocol = "cme.mdp3"
[[channel.line]]
name = "A"
group = "224.0.31.64:14340"
[[channel.line]]
name = "B"
group = "224.0.32.64:15340"
[[channel.feed]]
role = "snapshot"
group = "224.0.31.43:14341"
"""
FEED = Feed(
    channels=(
        Channel(
            venue="cme",
            name="340",
            protocol="cme.mdp3",
            lines=(Line(name="A", group="224.0.31.64:14340"), Line(name="B", group="224.0.32.64:15340")),
            feeds=(FeedRole(role="snapshot", group="224.0.31.43:14341"),),
        ),
    )
)


def test_a_feed_is_read_as_it_is_written() -> None:
    """Channels, lines and recovery feeds, in their order."""
    assert parse(TEXT) == FEED


def test_what_is_dumped_reads_back_equal() -> None:
    """The writer's text is the file's, and odd characters survive it."""
    assert dump(FEED) == TEXT
    odd = Channel(
        venue='q"uote\\',
        name="tab\t\x7f\x01ü",
        protocol="x.y",
        lines=(
            Line(name="1", group="[ff02::1]:1", source="fe80::1", capture=0),
            Line(name="2", group="[ff02::1]:1", source="fe80::1", capture=1, interface=3),
        ),
        schema="a b.xml",
        timezone="America/New_York",
        session_start="09:30",
        recover="retransmit",
    )
    feed = Feed(channels=(*FEED.channels, odd))
    assert parse(dump(feed)) == feed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"A"', "1", "channel[0].line[0].name: expected text, not a number"),
        ('"A"', '"B"', "channel[0].line[1]: there is a line B already"),
        (
            'role = "snapshot"',
            'role = "snap"',
            "channel[0].feed[0].role: 'snap' is none of: snapshot, definitions, retrans",
        ),
        (
            "224.0.32.64:15340",
            "224.0.31.64:14340",
            "channel[0].line[1]: 224.0.31.64:14340 is channel[0].line[0] too; give",
        ),
        (
            "224.0.31.43:14341",
            "224.0.31.64:14340",
            "channel[0].feed[0]: 224.0.31.64:14340 is channel[0].line[0] too; give",
        ),
        ('name = "340"', 'nam = "340"', "channel[0]: there is no such key as 'nam'"),
        ('name = "340"\n', "", "channel[0]: it lacks 'name'"),
        ('name = "340"', 'name = ""', "channel[0].name: expected some text"),
        ('venue = "cme"', 'venue = "cme', "is not TOML: "),
        ("15340", "", "channel[0].line[1].group: '224.0.32.64:' is no group; write"),
        ("15340", "65536", "channel[0].line[1].group: '224.0.32.64:65536' is no group; write"),
        ("224.0.32.64:15340", "[224.0.32.64]:15340", "channel[0].line[1].group: '[224.0.32.64]:15340': brackets"),
        ("224.0.32.64:15340", "ff02::1:15340", "channel[0].line[1].group: 'ff02::1:15340': brackets"),
        ('15340"', '15340"\ninterface = "eth0"', "channel[0].line[1].interface: expected a number, not text"),
        ('15340"', '15340"\ncapture = -1', "channel[0].line[1].capture: expected 0 or more"),
        ('15340"', '15340"\nsource = "1.2.3"', "channel[0].line[1].source: '1.2.3' is no address"),
        (
            'name = "340"',
            'name = "340"\nsession_start = "9:30"',
            'session_start: expected a time of day such as "09:30"',
        ),
        ("[[channel]]", "[channel]", "channel: expected a list, not a table"),
        (TEXT, "", "it lacks 'channel'"),
        (TEXT, "channel = []", "there is no [[channel]]"),
        (TEXT, TEXT + TEXT, "channel[1]: there is a channel cme 340 already"),
        ("[[channel.line]]", "[[channel.lime]]", "channel[0]: there is no such key as 'lime'"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(old: str, new: str, message: str) -> None:
    """The user reads where it is and what to write, and no traceback."""
    assert old in TEXT
    with pytest.raises(SimbenchError) as error:
        parse(TEXT.replace(old, new, 1), where="my.toml")
    assert str(error.value).startswith("my.toml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_one_group_seen_twice_needs_two_different_answers() -> None:
    """A line that says nothing of the capture would also match the other's: only both together tell them apart."""
    two = TEXT.replace("224.0.32.64:15340", "224.0.31.64:14340")
    one_told = two.replace('name = "B"', 'name = "B"\ncapture = 1')
    with pytest.raises(SimbenchError, match="a capture of their own"):
        parse(one_told)
    assert len(parse(one_told.replace('name = "A"', 'name = "A"\ncapture = 0')).channels[0].lines) == 2


def test_a_receiver_joins_what_is_sent_to_groups() -> None:
    """Lines and the flows beside them; a server that is asked has no group to join."""
    server = '[[channel.feed]]\nrole = "retransmission"\ngroup = "10.0.0.1:9000"\n'
    assert joined(parse(TEXT + server)) == ["224.0.31.64:14340", "224.0.32.64:15340", "224.0.31.43:14341"]


def test_more_flows_than_a_route_can_name_are_refused() -> None:
    """256 beside the lines of a channel are possible."""
    flow = '[[channel.feed]]\nrole = "snapshot"\ngroup = "224.1.{}.1:{}"\n'
    many = "".join(flow.format(i % 250, 5000 + i) for i in range(256))
    head = TEXT.partition("[[channel.feed]]")[0]
    assert len(parse(head + many).channels[0].feeds) == 256
    with pytest.raises(SimbenchError, match=r"channel\[0\]: it has 257 \[\[channel.feed\]\]; at most 256"):
        parse(TEXT + many)


def test_a_retransmission_server_may_serve_several_channels() -> None:
    """It is asked, not listened to: its address may stand in every channel."""
    server = '[[channel.feed]]\nrole = "retransmission"\ngroup = "10.0.0.1:9000"\n'
    other = TEXT.replace('"340"', '"341"').replace(":14", ":24").replace(":15", ":25")
    assert len(parse(TEXT + server + other + server).channels) == 2


@pytest.mark.parametrize("text", ["224.0.31.64:14340", "[ff02::1]:14340"])
def test_groups_split_and_join(text: str) -> None:
    """IPv4 and IPv6, there and back."""
    assert join_group(*split_group(text)) == text


@pytest.mark.parametrize("text", ["", ":", "a:1", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:-1", "1.2.3.4:1e3", "1.2.3.4:٣"])
def test_what_is_no_group_is_refused(text: str) -> None:
    """One line says how a group is written."""
    with pytest.raises(SimbenchError, match="is no group"):
        split_group(text)
