"""./capos image iso: the image that users boot, on BIOS and UEFI, in an emulator or from a USB stick."""

from pathlib import Path

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.image import system_iso, targets
from imagegen.cli.support.process import say
from imagegen.cli.support.workflow import ensure_built

HELP = "makes the image that boots; builds what it needs"


def add_arguments(parser) -> None:
    parser.add_argument("format", choices=["iso"], help="iso: boots from disc or USB stick, on BIOS and UEFI")
    parser.add_argument("-o", "--output", type=Path, default=paths.OUT / "capos.iso", metavar="FILE",
                        help="default: out/capos.iso")
    parser.add_argument("--arguments", default="", metavar="TEXT", help='for the kernel, for example "log=debug"')


def run(args) -> int:
    output = args.output.absolute()
    if not output.parent.is_dir():
        raise CommandError(f"there is no folder {output.parent}", "name a file in a folder that exists")
    system_iso(ensure_built(*targets()), output, args.arguments)
    say(f"{output} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0
