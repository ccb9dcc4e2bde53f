"""The frame batch, the first currency: what captures and wires hand out and dissection fills in.

A batch is a byte buffer (uint8[n]) and an array of FRAME records that point into it. A block of a capture is one, an
AF_XDP ring hands one out, the shared-memory ring hands one out.
"""

from __future__ import annotations

from typing import Final

import numpy as np

FRAME: Final = np.dtype(
    [
        ("offset", "i8"),  # of the first captured byte in the buffer
        ("stamp", "i8"),  # ns: since 1970 in a capture; CLOCK_MONOTONIC at the driver hook on a wire, 0 where unknown
        ("ordinal", "i8"),  # position in the capture's file order; on our wires the serial of the send; -1 unknown
        ("payload", "i8"),  # of the first byte of the UDP payload in the buffer; -1 where there is none
        ("captured", "i4"),  # bytes in the buffer
        ("wire", "i4"),  # bytes that were on the wire
        ("payload_length", "i4"),  # bytes, by the IP and UDP headers
        ("trailer", "i4"),  # bytes behind the IP packet: FCS, padding, a switch's stamp
        ("flow", "i4"),  # row in the flow table; -1 none
        ("interface", "i2"),  # of the capture, as pcapng numbers them
        ("capture", "i2"),  # which of several captures
        ("flags", "u4"),  # of the kinds below
        ("link", "i4"),  # link type, as LINKTYPE_ numbers it
    ],
    align=True,
)

FLOW: Final = np.dtype(
    [
        ("source_high", "i8"),  # IPv6 as two big-endian halves; IPv4 as 0 and the address
        ("source_low", "i8"),
        ("group_high", "i8"),
        ("group_low", "i8"),
        ("port", "i4"),  # destination
        ("version", "i4"),  # of IP: 4 or 6
        ("vlan", "i4"),  # outermost, -1 none
        ("interface", "i2"),
        ("capture", "i2"),
        ("datagrams", "i8"),
        ("first_ordinal", "i8"),
    ],
    align=True,
)

# Flags of a frame. Those of NO_PAYLOAD mean that there is no whole payload.
FRAGMENT: Final = 1 << 0
BAD_IP_CHECKSUM: Final = 1 << 1
BAD_UDP_CHECKSUM: Final = 1 << 2
NO_UDP_CHECKSUM: Final = 1 << 3  # 0 on the wire: absent, legal over IPv4
SNAPPED: Final = 1 << 4  # the capture kept less than the datagram
NOT_IP: Final = 1 << 5
NOT_UDP: Final = 1 << 6
BROKEN: Final = 1 << 7  # a header that contradicts itself or does not fit
UNKNOWN_LINK: Final = 1 << 8
PAYLOAD_ONLY: Final = 1 << 9  # from a UDP socket: no headers in the buffer, payload and flow are set already
FLOWS_FULL: Final = 1 << 10  # the flow table had no room for this frame's flow
BROUGHT: Final = 1 << 11  # the pipeline had something for the books when this frame was at work
NO_PAYLOAD: Final = FRAGMENT | SNAPPED | NOT_IP | NOT_UDP | BROKEN | UNKNOWN_LINK | FLOWS_FULL
