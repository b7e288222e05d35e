"""The filter of system calls, instruction by instruction. Interpreted here: nothing is confined."""

import struct

import pytest

from toolkit.compare.ability.sandbox_child import ALLOW, CALLS, JUMP_IF_EQUAL, KILL, LOAD, REFUSE, filter_program


def decided(program: bytes, number: int, architecture: int) -> int:
    """What the program returns for a call: a small interpreter of classic BPF."""
    lines = [struct.unpack("HBBI", program[at : at + 8]) for at in range(0, len(program), 8)]
    position, value = 0, 0
    while True:
        code, if_true, if_false, operand = lines[position]
        position += 1
        if code == LOAD:
            value = {0: number, 4: architecture}[operand]
        elif code == JUMP_IF_EQUAL:
            position += if_true if value == operand else if_false
        else:
            return operand


@pytest.mark.parametrize("machine", CALLS)
def test_only_the_listed_calls_pass(machine: str):
    architecture, calls = CALLS[machine]
    program = filter_program(architecture, calls)

    passing = {number for number in range(600) if decided(program, number, architecture) == ALLOW}

    assert passing == set(calls.values())
    assert {decided(program, number, architecture) for number in range(600)} == {ALLOW, REFUSE}


@pytest.mark.parametrize("machine", CALLS)
def test_another_architectures_calls_end_the_process(machine: str):
    """32-bit calls on x86-64 have other numbers; x32 ones have a high bit and are refused."""
    architecture, calls = CALLS[machine]
    program = filter_program(architecture, calls)

    assert {decided(program, number, 0x40000003) for number in range(600)} == {KILL}
    assert decided(program, 0x40000000 + calls["write"], architecture) == REFUSE


@pytest.mark.parametrize("machine", CALLS)
def test_no_call_opens_connects_or_starts_anything(machine: str):
    names = " ".join(CALLS[machine][1])

    for part in ("open", "socket", "connect", "clone", "fork", "exec", "kill", "ptrace", "prctl", "mount", "ioctl"):
        assert part not in names
