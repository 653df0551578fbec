"""The QEMU command line of one case. TCG by name: a /dev/kvm that exists may be slower, and tests have to be alike everywhere."""

import shutil
from pathlib import Path

from scenario import Case

_OVMF = Path("/usr/share/OVMF")


class EmulatorError(Exception):
    """The emulator lacks a part that a case needs."""


def command(case: Case, iso: Path, folder: Path, qemu: str) -> list[str]:
    """`folder` receives this guest's own firmware variables."""
    words = [qemu, "-accel", "tcg,thread=multi" if case.cpus > 1 else "tcg"]
    words += ["-machine", "q35,kernel-irqchip=split" if case.iommu else "q35"]
    if case.iommu:
        words += ["-device", "intel-iommu,intremap=on,aw-bits=48"]
    words += ["-cpu", "max", "-smp", str(case.cpus), "-m", str(case.memory)]
    words += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]
    words += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    if case.firmware == "uefi":
        words += _uefi(case, folder)
    for device in case.devices:
        words += ["-device", device]
    return words + ["-cdrom", str(iso)]


def _uefi(case: Case, folder: Path) -> list[str]:
    code, variables = _OVMF / "OVMF_CODE_4M.fd", _OVMF / "OVMF_VARS_4M.fd"
    if not code.is_file() or not variables.is_file():
        raise EmulatorError(f"the UEFI firmware is not installed ({code}); ./capos setup installs it")
    own = folder / f"{case.name}.vars"
    shutil.copyfile(variables, own)
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={own.as_posix().replace(',', ',,')}"]
