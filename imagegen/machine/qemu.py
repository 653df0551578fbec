"""The machine that ./capos run starts: a description, and the QEMU command line for it.

TCG by name: a /dev/kvm that exists may be far slower (design-system §11). Devices sit behind the IOMMU when there is one.
"""

import dataclasses
from pathlib import Path

from imagegen.cli.support.errors import CommandError

_OVMF = Path("/usr/share/OVMF")
EMULATOR = "qemu-system-x86_64"


@dataclasses.dataclass(frozen=True)
class Disk:
    file: Path
    kind: str = "nvme"  # or virtio


@dataclasses.dataclass(frozen=True)
class Machine:
    iso: Path
    cpus: int = 2
    memory_mib: int = 512
    uefi: bool = False
    iommu: bool = True
    disks: tuple[Disk, ...] = ()


def command(machine: Machine, folder: Path) -> list[str]:
    """Without console and debugger. `folder` takes this machine's own firmware variables. Errors: CommandError."""
    words = [EMULATOR, "-accel", "tcg,thread=multi" if machine.cpus > 1 else "tcg"]
    words += ["-machine", "q35,kernel-irqchip=split" if machine.iommu else "q35"]
    if machine.iommu:
        words += ["-device", "intel-iommu,intremap=on,aw-bits=48"]
    words += ["-cpu", "max", "-smp", str(machine.cpus), "-m", str(machine.memory_mib)]
    words += ["-nodefaults", "-display", "none", "-no-reboot"]
    if machine.uefi:
        words += _firmware(folder)
    for index, disk in enumerate(machine.disks):
        words += ["-drive", f"if=none,id=disk{index},format=raw,file={_quoted(disk.file)}"]
        if disk.kind == "nvme":
            words += ["-device", f"nvme,drive=disk{index},serial=capos{index}"]
        else:
            translated = "on" if machine.iommu else "off"
            words += ["-device", f"virtio-blk-pci,drive=disk{index},disable-legacy=on,iommu_platform={translated}"]
    return words + ["-cdrom", str(machine.iso)]


def _firmware(folder: Path) -> list[str]:
    code, variables = _OVMF / "OVMF_CODE_4M.fd", _OVMF / "OVMF_VARS_4M.fd"
    if not code.is_file() or not variables.is_file():
        raise CommandError(f"the UEFI firmware is missing ({code})", "run ./capos setup, which installs it")
    own = folder / "uefi-variables"
    own.write_bytes(variables.read_bytes())
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={_quoted(own)}"]


def _quoted(path: Path) -> str:
    return str(path).replace(",", ",,")
