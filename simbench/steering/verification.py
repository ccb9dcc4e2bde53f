"""The verification suite of Microsoft's RSS documentation: sixteen values that the hash has to have."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from simbench.steering.toeplitz import hash_flow

# Destination address and port, source address and port, hash over the addresses, hash over addresses and ports.
VERIFICATION: Final = (
    ("161.142.100.80", 1766, "66.9.149.187", 2794, 0x323E8FC2, 0x51CCC178),
    ("65.69.140.83", 4739, "199.92.111.2", 14230, 0xD718262A, 0xC626B0EA),
    ("12.22.207.184", 38024, "24.19.198.95", 12898, 0xD2D0A5DE, 0x5C2B394A),
    ("209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xAFC7327F),
    ("202.188.127.2", 1303, "153.39.163.191", 44251, 0x5D1809C5, 0x10E828A2),
    ("3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2CC18CD5, 0x40207D3D),
    ("ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0F0C461C, 0xDDE51BBF),
    ("fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4B61E985, 0x02D1FEEF),
)
VALUES: Final = 2 * len(VERIFICATION)


def wrong() -> list[str]:
    """Return which of the sixteen values are not as documented, a line each."""
    found = []
    for target, port, source, source_port, addresses, whole in VERIFICATION:
        ends = ip_address(source), ip_address(target)
        for ports, documented in ((None, addresses), ((source_port, port), whole)):
            hashed = hash_flow(*ends, ports)
            if hashed != documented:
                over = "addresses and ports" if ports else "addresses"
                found.append(f"{source} to {target}, {over}: {hashed:#010x}, not {documented:#010x}")
    return found
