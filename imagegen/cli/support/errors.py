"""The one error of the command: what failed, and how to go on."""

import errno


class CommandError(Exception):
    """A foreseeable fault. Shown as two lines, without a traceback; the exit status is `status`."""

    def __init__(self, what: str, how_to_go_on: str = "", status: int = 1):
        super().__init__(what)
        self.what = what
        self.how_to_go_on = how_to_go_on
        self.status = status


_ADVICE = {
    errno.ENOSPC: "free some space on that disk (set-up and build need about 2 GB) and run the same command again",
    errno.EDQUOT: "free some of your disk quota (set-up and build need about 2 GB) and run the same command again",
    errno.EFBIG: "raise the file size limit (ulimit -f) and run the same command again",
    errno.EROFS: "the tree has to be on a writable file system",
    errno.EACCES: "give yourself the right to write there, or use a tree of your own",
    errno.EPERM: "give yourself the right to do this, or use a tree of your own",
    errno.ENOMEM: "free some memory and run the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run the same command again",
}


def describe(error: OSError) -> CommandError:
    """The operating system refused something: the same two lines for every verb."""
    where = f"{error.filename}: " if error.filename else ""
    general = "the line above says what refused; mend that and run the same command again"
    return CommandError(f"{where}{error.strerror or error}", _ADVICE.get(error.errno or 0, general))
