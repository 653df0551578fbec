"""One ./capos at a time changes a tree: set-up and build hold this lock, running systems do not.

The lock is flock on out/lock, so it ends with its process, however that ends; the text in it only says who holds it.
"""

import contextlib
import errno
import fcntl
import os
import time

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import say

wait_for_others = True
_held = False


@contextlib.contextmanager
def tree_lock(purpose: str):
    """Waits for the tree. Re-entrant in one process. Errors: CommandError under --no-wait when another process holds it."""
    global _held
    if _held:
        yield
        return
    paths.OUT.mkdir(exist_ok=True)
    with open(paths.OUT / "lock", "a+", encoding="utf-8") as file:
        _take(file)
        file.truncate(0)
        file.write(f"./capos {purpose}, process {os.getpid()}")
        file.flush()
        _held = True
        try:
            yield
        finally:
            _held = False


def _take(file) -> None:
    said = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        file.seek(0)
        holder = file.read() or "another ./capos"
        if not wait_for_others:
            raise CommandError(f"{holder} is at work in this tree",
                               "wait until it has ended, or leave out --no-wait to do so here")
        if not said:
            say(f"waiting for {holder}, which is at work in this tree")
            said = True
        time.sleep(0.2)
