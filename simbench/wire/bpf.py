"""BPF without a library: bpf(2) by its number, and an assembler small enough to read.

Maps, programs and links are file descriptors: what a dead process attached is detached with its last descriptor.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final, NamedTuple

from simbench.errors import SimbenchError

SYS_BPF: Final = 321 if platform.machine() in ("x86_64", "AMD64") else 280
MAP_CREATE, MAP_UPDATE, PROG_LOAD, LINK_CREATE = 0, 2, 5, 28
HASH, ARRAY, XSKMAP = 1, 2, 17
MMAPABLE: Final = 1 << 10
PROG_TYPE_XDP: Final = 6
ATTACH_XDP: Final = 37
MODES: Final = {"generic": 1 << 1, "native": 1 << 2}

NEEDS: Final = "needs root or CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"


class Register(NamedTuple):
    """One of the eleven registers; r1 to r5 are lost in a call, r10 points behind the stack."""

    number: int


R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = (Register(number) for number in range(11))

ALU: Final = {"add": 0x00, "sub": 0x10, "or": 0x40, "and": 0x50, "shift_left": 0x60, "move": 0xB0}
JUMPS: Final = {"equal": 0x10, "above": 0x20, "any_bit": 0x40, "not_equal": 0x50}
SIZES: Final = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}


class Assembler:
    """Instructions in the order of their calls; jumps name labels."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int, str]] = []
        self._labels: dict[str, int] = {}

    def alu(self, operation: str, target: Register, operand: Register | int) -> None:
        """Compute target = target <operation> operand, 64 bits."""
        if isinstance(operand, Register):
            self._add(0x0F | ALU[operation], target, operand)
        else:
            self._add(0x07 | ALU[operation], target, immediate=operand)

    def move(self, target: Register, operand: Register | int) -> None:
        """Set target = operand."""
        self.alu("move", target, operand)

    def big_endian(self, target: Register, bits: int) -> None:
        """Read the low bits of target as big-endian."""
        self._add(0xDC, target, immediate=bits)

    def load(self, target: Register, base: Register, offset: int, size: int) -> None:
        """Load `size` bytes at base + offset, little-endian, zero-extended."""
        self._add(0x61 | SIZES[size], target, base, offset)

    def store(self, base: Register, offset: int, source: Register, size: int) -> None:
        """Store the low `size` bytes of source at base + offset."""
        self._add(0x63 | SIZES[size], base, source, offset)

    def fetch_add(self, base: Register, offset: int, source: Register) -> None:
        """Add source to 64 bits in memory, atomically; source becomes what was there."""
        self._add(0xDB, base, source, offset, 0x01)

    def exchange(self, base: Register, offset: int, source: Register) -> None:
        """Swap source with 64 bits in memory, atomically; a full barrier."""
        self._add(0xDB, base, source, offset, 0xE1)

    def load_map(self, target: Register, fd: int) -> None:
        """Set target to a map."""
        self._add(0x18, target, Register(1), immediate=fd)
        self._add(0x00)

    def jump(self, label: str) -> None:
        """Go to a label."""
        self._add(0x05, label=label)

    def jump_if(self, condition: str, left: Register, right: Register | int, label: str) -> None:
        """Go to a label if left <condition> right; unsigned."""
        if isinstance(right, Register):
            self._add(0x0D | JUMPS[condition], left, right, label=label)
        else:
            self._add(0x05 | JUMPS[condition], left, immediate=right, label=label)

    def call(self, helper: int) -> None:
        """Call a helper of the kernel: arguments r1 to r5, result r0."""
        self._add(0x85, immediate=helper)

    def label(self, name: str) -> None:
        """Name the next instruction."""
        self._labels[name] = len(self._code)

    def exit(self) -> None:
        """Return r0."""
        self._add(0x95)

    def assemble(self) -> bytes:
        """Return the instructions, 8 bytes each."""
        code = b""
        for at, (operation, target, source, offset, immediate, label) in enumerate(self._code):
            where = self._labels[label] - at - 1 if label else offset
            code += struct.pack("<BBhi", operation, source << 4 | target, where, immediate)
        return code

    def _add(
        self,
        operation: int,
        target: Register = R0,
        source: Register = R0,
        offset: int = 0,
        immediate: int = 0,
        label: str = "",
    ) -> None:
        self._code.append((operation, target.number, source.number, offset, immediate, label))


def create_map(kind: int, key_size: int, value_size: int, entries: int, flags: int = 0) -> int:
    """Create a map and return its descriptor."""
    return _bpf(MAP_CREATE, struct.pack("IIIII", kind, key_size, value_size, entries, flags))


def update_map(fd: int, key: bytes, value: bytes) -> None:
    """Set map[key] = value."""
    keys, values = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value)
    _bpf(MAP_UPDATE, struct.pack("IxxxxQQQ", fd, ctypes.addressof(keys), ctypes.addressof(values), 0))


def load_program(code: bytes) -> int:
    """Load an XDP program and return its descriptor; a refusal carries the verifier's last words."""
    instructions, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(1 << 16)
    addresses = [ctypes.addressof(buffer) for buffer in (instructions, licence)]
    head = struct.pack("IIQQ", PROG_TYPE_XDP, len(code) // 8, *addresses)
    try:
        return _bpf(PROG_LOAD, head)
    except SimbenchError:
        raise
    except OSError as error:
        try:
            return _bpf(PROG_LOAD, head + struct.pack("IIQ", 1, len(log), ctypes.addressof(log)))
        except OSError:
            words = log.value.decode(errors="replace").splitlines()[-3:]
            raise SimbenchError(f"the kernel refuses the XDP program: {error.strerror}: {' / '.join(words)}") from None


def attach_xdp(program: int, interface_index: int, mode: str) -> int:
    """Attach a program to an interface and return the link's descriptor: closing it detaches.

    Args:
        program: descriptor of the program.
        interface_index: in the calling thread's namespace.
        mode: "generic" (works on sk_buffs, any device) or "native" (in the driver).
    """
    try:
        return _bpf(LINK_CREATE, struct.pack("IIII", program, interface_index, ATTACH_XDP, MODES[mode]))
    except OSError as error:
        advice = {
            errno.EEXIST: "another XDP program is attached; detach it first",
            errno.EBUSY: "another XDP program is attached; detach it first",
            errno.ENOSPC: "its peer has more queues than it; give both the same number",
            errno.ERANGE: "its peer's MTU is too large for native mode; use generic mode or an MTU of 3498",
            errno.EOPNOTSUPP: "its driver has no native mode; use generic mode",
        }.get(error.errno or 0, error.strerror)
        raise SimbenchError(f"cannot attach an XDP program ({mode}) to interface {interface_index}: {advice}") from None


def _bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = int(ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, command, buffer, 128))
    if result < 0:
        code = ctypes.get_errno()
        if code == errno.EPERM:
            raise SimbenchError(f"AF_XDP {NEEDS}; try --wire ring")
        raise OSError(code, os.strerror(code))
    return result
