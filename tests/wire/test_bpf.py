"""The assembler, and the programs as the kernel's verifier sees them."""

from __future__ import annotations

import os

import pytest

from simbench.errors import SimbenchError
from simbench.wire import bpf, programs


def test_instructions_are_encoded_as_the_kernel_reads_them() -> None:
    """Opcode, registers, offset and immediate stand where the instruction set says."""
    code = bpf.Assembler()
    code.move(bpf.R2, -8)
    code.load(bpf.R3, bpf.R6, 12, 2)
    code.store(bpf.R10, -8, bpf.R3, 8)
    code.exit()
    expected = "b702000 0f8ffffff 69630c0000000000 7b3af8ff00000000 9500000000000000"
    assert code.assemble() == bytes.fromhex(expected.replace(" ", ""))


def test_a_jump_counts_the_instructions_between() -> None:
    """A label's distance is measured from the instruction behind the jump, over wide loads of two."""
    code = bpf.Assembler()
    code.jump_if("equal", bpf.R1, 7, "end")
    code.load_map(bpf.R1, 3)
    code.label("end")
    code.exit()
    assert code.assemble()[:8] == bytes.fromhex("1501020007000000")


@pytest.mark.wire
@pytest.mark.parametrize(("only_multicast", "own"), [(False, b""), (True, b""), (False, b"\x02\xfe\x80\xff\x01\x90")])
def test_the_verifier_accepts_the_redirecting_programs(
    can_veth: None, no_leak: None, only_multicast: bool, own: bytes
) -> None:
    """All variants load."""
    xsk_map = bpf.create_map(bpf.XSKMAP, 4, 4, 1)
    os.close(bpf.load_program(programs.redirect(xsk_map, only_multicast=only_multicast, own=own)))
    os.close(xsk_map)


@pytest.mark.wire
def test_a_program_that_the_verifier_refuses_says_why(can_veth: None, no_leak: None) -> None:
    """The verifier's last words are in the line."""
    code = bpf.Assembler()
    code.load(bpf.R0, bpf.R5, 0, 8)
    code.exit()
    with pytest.raises(SimbenchError, match="R5"):
        bpf.load_program(code.assemble())
