"""The GRUB ISO: one file that boots on BIOS and UEFI. Made by grub-mkrescue with the few GRUB modules that multiboot2 needs.

The clock of grub-mkrescue and of what it starts (xorriso, mformat) is stopped at a fixed date, so that the same input makes the
same bytes.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import start

_EPOCH = 1704067200  # 2024-01-01 00:00:00 UTC, in every time stamp of an image
_GRUB_MODULES = "multiboot2 normal serial terminal iso9660 part_msdos part_gpt fat boot configfile"
_CONFIGURATION = """\
set timeout=0
set default=0
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
menuentry "capOS" {{
{commands}
}}
"""
# What needs no quoting in GRUB's language; nothing else may appear in a text.
_PLAIN = re.compile(r"[A-Za-z0-9_.,:=/+@-]+( [A-Za-z0-9_.,:=/+@-]+)*")


def make_iso(output: Path, kernel: Path, modules: list[tuple[str, Path]], kernel_arguments: str = "") -> None:
    """Writes `output`, all or nothing. `modules` are (text, file) in loading order; the kernel goes without debug information.

    Errors: CommandError when a tool is missing or fails; ValueError when a text cannot be written in GRUB's configuration.
    """
    for text in [kernel_arguments] * bool(kernel_arguments) + [text for text, _ in modules]:
        if not _PLAIN.fullmatch(text):
            raise ValueError(f"{text!r}: only words of letters, digits and _.,:=/+@- can be passed to the kernel")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        tree = Path(folder) / "tree"
        (tree / "boot/grub").mkdir(parents=True)
        _run(["llvm-strip-19", "--strip-debug", kernel, "-o", tree / "boot/kernel.elf"])
        commands = [f"  multiboot2 /boot/kernel.elf {kernel_arguments}".rstrip()]
        for index, (text, file) in enumerate(modules):
            name = f"/boot/module{index}"
            shutil.copyfile(file, tree / name[1:])
            commands.append(f"  module2 {name} {text}")
        (tree / "boot/grub/grub.cfg").write_text(_CONFIGURATION.format(commands="\n".join(commands)))
        for path in [tree, *tree.rglob("*")]:
            os.utime(path, (_EPOCH, _EPOCH))
        unfinished = Path(folder) / "image"
        _run(["faketime", "-f", "2024-01-01 00:00:00", "grub-mkrescue", "-o", unfinished, tree,
              f"--install-modules={_GRUB_MODULES}", "--locales=", "--fonts=", "--themes="])
        os.replace(unfinished, output)


def _run(command: list) -> None:
    child = start(command, environment={"SOURCE_DATE_EPOCH": str(_EPOCH), "TZ": "UTC", "LC_ALL": "C"}, stdout=subprocess.PIPE,
                  stderr=subprocess.STDOUT)
    output, _ = child.communicate()
    if child.returncode != 0:
        text = output.decode(errors="replace").strip()
        go_on = "free some space on that disk" if "No space left" in text else "./capos setup installs the tools for images"
        raise CommandError(f"{command[0]} failed while making the image:\n{text}", go_on)
