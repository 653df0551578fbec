"""The QEMU command line of one case: the machine that ./capos run starts, with its console on standard input and output."""

from pathlib import Path

import monitor
from imagegen.machine import qemu
from scenario import Case

_CONSOLE = ("-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")
# One tick of the time stamp counter is one instruction, and the CPU doesn't promise fast string instructions, which would count
# a tick for every byte (peers are measured alike). The later -cpu wins.
MEASURED = ("-icount", "shift=0", "-cpu", "max,erms=off,fsrm=off")


def command(case: Case, iso: Path, folder: Path, program: str, *, measured: bool = False) -> list[str]:
    """`folder` receives this guest's own firmware variables. Errors: CommandError when the firmware is missing."""
    own = folder / case.name
    own.mkdir(exist_ok=True)
    machine = qemu.Machine(iso, case.cpus, case.memory, case.firmware == "uefi", case.iommu)
    words = [program, *qemu.command(machine, own)[1:], *_CONSOLE]
    if case.monitor:
        words += monitor.options(own)
    for device in case.devices:
        words += ["-device", device]
    return words + list(MEASURED if measured else ())
