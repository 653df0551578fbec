"""Makes an include view: a folder of symbolic links, so that a target sees only the include folders named in its view.

usage: make_view.py VIEW NAME=FOLDER...

NAME may be a path, `servers/init`: of that folder the view has this part only. Idempotent; a link that is not named any
more is removed.
"""

import os
import sys
from pathlib import Path


def main() -> int:
    view = Path(sys.argv[1])
    view.mkdir(parents=True, exist_ok=True)
    wanted = dict(argument.split("=", 1) for argument in sys.argv[2:])
    for entry in [*view.glob("*"), *view.glob("*/*")]:
        if entry.is_symlink() and str(entry.relative_to(view)) not in wanted and not entry.parent.is_symlink():
            entry.unlink()
    for name, folder in wanted.items():
        link = view / name
        link.parent.mkdir(exist_ok=True)
        if not (link.is_symlink() and os.readlink(link) == folder):
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
    print(view)
    return 0


if __name__ == "__main__":
    sys.exit(main())
