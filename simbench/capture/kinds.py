"""What frames are counted as: the words of the dissection's counters, and their names in every report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Words of the counters. A frame is one of DATAGRAM .. UNKNOWN_LINK_TYPE, and each of the others as well that it is.
FLOW_COUNT: Final = 0  # rows of the flow table in use
FRAME_COUNT: Final = 1
DATAGRAM: Final = 2  # a whole UDP payload, its checksum good or not

FRAGMENT_COUNT: Final = 3
CUT_BY_SNAPLEN: Final = 4
BROKEN_LINK: Final = 5  # shorter than its link layer's header
BROKEN_IPV4: Final = 6
BROKEN_IPV6: Final = 7
BROKEN_UDP: Final = 8
BROKEN_TUNNEL: Final = 9  # of VLAN, MPLS, GRE, ERSPAN or VXLAN
TOO_DEEP: Final = 10  # more headers inside each other than anybody means
FLOW_TABLE_FULL: Final = 11
UNKNOWN_LINK_TYPE: Final = 12
STP: Final = 13
CISCO_SNAP: Final = 14  # CDP, VTP, UDLD, PVST
LLC: Final = 15  # any other 802.2 frame
MPLS_PAYLOAD: Final = 16  # what MPLS carries is not IP
GRE_VERSION: Final = 17  # GRE with routing, or PPTP's
LOOPBACK_FAMILY: Final = 18  # BSD loopback that carries another family than IP

BAD_IP: Final = 20
BAD_UDP: Final = 21
NO_UDP: Final = 22
TRAILERS: Final = 23  # frames with bytes behind the IP packet
VLAN: Final = 24
STACKED_VLAN: Final = 25
MPLS: Final = 26
GRE: Final = 27
ERSPAN: Final = 28
VXLAN: Final = 29
IP_IN_IP: Final = 30
PACKETS_V4: Final = 31
PACKETS_V6: Final = 32

PROTOCOLS: Final = 64  # frames by what IP carries, where that is not UDP: 256 words
TYPES: Final = PROTOCOLS + 256  # frames by ethertype, where that is not IP: pairs of type and count, in order of sight
MOST_TYPES: Final = 64
OTHER_TYPES: Final = TYPES + 2 * MOST_TYPES  # frames of further ethertypes
COUNTER_WORDS: Final = OTHER_TYPES + 1

NAMES: Final = {
    FRAME_COUNT: "frames",
    DATAGRAM: "datagrams",
    FRAGMENT_COUNT: "fragment",
    CUT_BY_SNAPLEN: "cut_by_snaplen",
    BROKEN_LINK: "broken_link",
    BROKEN_IPV4: "broken_ipv4",
    BROKEN_IPV6: "broken_ipv6",
    BROKEN_UDP: "broken_udp",
    BROKEN_TUNNEL: "broken_tunnel",
    TOO_DEEP: "nested_too_deep",
    FLOW_TABLE_FULL: "flow_table_full",
    UNKNOWN_LINK_TYPE: "unknown_link_type",
    STP: "stp",
    CISCO_SNAP: "cisco_snap",
    LLC: "llc",
    MPLS_PAYLOAD: "mpls_not_ip",
    GRE_VERSION: "gre_not_understood",
    LOOPBACK_FAMILY: "loopback_not_ip",
    OTHER_TYPES: "other_ethertypes",
    BAD_IP: "bad_ip_checksum",
    BAD_UDP: "bad_udp_checksum",
    NO_UDP: "no_udp_checksum",
    TRAILERS: "trailer",
    VLAN: "vlan",
    STACKED_VLAN: "stacked_vlan",
    MPLS: "mpls",
    GRE: "gre",
    ERSPAN: "erspan",
    VXLAN: "vxlan",
    IP_IN_IP: "ip_in_ip",
    PACKETS_V4: "ipv4",
    PACKETS_V6: "ipv6",
}
OF_GOOD_FRAMES: Final = frozenset((FRAME_COUNT, DATAGRAM, *range(BAD_IP, PACKETS_V6 + 1)))  # no reason to leave one out

# IANA's assigned Internet protocol numbers: those that travel with multicast.
PROTOCOL_NAMES: Final = {
    0: "ipv6_hop_by_hop",
    1: "icmp",
    2: "igmp",
    6: "tcp",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    59: "ipv6_no_next_header",
    88: "eigrp",
    89: "ospf",
    103: "pim",
    112: "vrrp",
    113: "pgm",
    115: "l2tp",
    132: "sctp",
    136: "udp_lite",
}

# IEEE's ethertypes, likewise.
TYPE_NAMES: Final = {
    0x0806: "arp",
    0x2000: "cdp",
    0x8035: "rarp",
    0x809B: "appletalk",
    0x8137: "ipx",
    0x8808: "ethernet_flow_control",
    0x8809: "lacp",
    0x8863: "pppoe_discovery",
    0x8864: "pppoe",
    0x888E: "eapol",
    0x88A2: "ata_over_ethernet",
    0x88CC: "lldp",
    0x88E1: "homeplug",
    0x88E5: "macsec",
    0x88F7: "ptp",
    0x8902: "cfm",
    0x9000: "ethernet_loopback",
}

# Ports of datagrams that are no feed.
PORT_NAMES: Final = {
    53: "dns",
    67: "dhcp",
    68: "dhcp",
    69: "tftp",
    123: "ntp",
    137: "netbios_name",
    138: "netbios_datagram",
    161: "snmp",
    162: "snmp",
    319: "ptp",
    320: "ptp",
    514: "syslog",
    520: "rip",
    546: "dhcpv6",
    547: "dhcpv6",
    646: "ldp",
    1900: "ssdp",
    1985: "hsrp",
    2029: "hsrp",
    3222: "glbp",
    3702: "ws_discovery",
    3784: "bfd",
    5353: "mdns",
    5355: "llmnr",
    6343: "sflow",
}

# LINKTYPE_ numbers (tcpdump.org/linktypes.html): those that are read, and those often met.
LINK_NAMES: Final = {
    0: "BSD loopback",
    1: "Ethernet",
    9: "PPP",
    12: "raw IP",
    14: "raw IP",
    101: "raw IP",
    104: "Cisco HDLC",
    105: "IEEE 802.11",
    108: "OpenBSD loopback",
    113: "Linux cooked v1",
    127: "radiotap",
    228: "raw IPv4",
    229: "raw IPv6",
    239: "nflog",
    240: "netANALYZER",
    276: "Linux cooked v2",
}


def describe(counters: NDArray[np.int64]) -> dict[str, int]:
    """Return the counters that are not zero, by name."""
    named = {name: int(counters[word]) for word, name in NAMES.items()}
    for number in range(256):
        named[PROTOCOL_NAMES.get(number, f"ip_protocol_{number}")] = int(counters[PROTOCOLS + number])
    for at in range(TYPES, OTHER_TYPES, 2):
        kind = int(counters[at])
        named[TYPE_NAMES.get(kind, f"ethertype_0x{kind:04x}")] = int(counters[at + 1])
    return {name: count for name, count in named.items() if count}


def left_out(counters: NDArray[np.int64]) -> dict[str, int]:
    """Return how many frames hold no datagram of a flow, by name; each frame once."""
    good = {NAMES[word] for word in OF_GOOD_FRAMES}
    return {name: count for name, count in describe(counters).items() if name not in good}


def link_name(link: int) -> str:
    """Return a link type in words."""
    return LINK_NAMES.get(link, f"link type {link}")
