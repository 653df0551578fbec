"""Finds the verb, reads its options, runs it, and turns every foreseeable fault into two lines and an exit status.

Exit status: 0 success, 1 failure, 2 wrong use, 130 interrupted.
"""

import argparse
import errno
import importlib
import os
import sys
from pathlib import Path

from imagegen.cli.support import lock
from imagegen.cli.support.errors import CommandError, describe

_FOLDER = Path(__file__).parent


def verbs() -> list[str]:
    return sorted(file.stem for file in _FOLDER.glob("*.py") if file.stem != "main")


def _parser(load: list[str]) -> tuple[argparse.ArgumentParser, dict]:
    parser = argparse.ArgumentParser(prog="./capos", description="capOS: set up, build, run, test and measure the system.",
                                     epilog="./capos VERB --help tells the options of one verb.")
    parser.add_argument("--no-wait", action="store_true", help="fail at once when another ./capos is at work in this tree")
    chosen = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    modules = {}
    for name in load:
        module = importlib.import_module(f"imagegen.cli.{name}")
        modules[name] = module
        module.add_arguments(chosen.add_parser(name, help=module.HELP, description=module.HELP))
    return parser, modules


def main(arguments: list[str]) -> int:
    try:
        wanted = next((word for word in arguments if not word.startswith("-")), "")
        known = verbs()
        parser, modules = _parser([wanted] if wanted in known else known)
        args, unknown = parser.parse_known_args(arguments)
        if unknown:
            parser.error(f"unknown: {' '.join(unknown)}; ./capos {args.verb} --help tells the options")
        lock.wait_for_others = not args.no_wait
        return modules[args.verb].run(args)
    except CommandError as error:
        return _report(error)
    except KeyboardInterrupt:
        print("\ncapos: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _report(describe(error))


def _report(error: CommandError) -> int:
    try:
        print(f"capos: {error.what}", file=sys.stderr)
        if error.how_to_go_on:
            print(f"  how to go on: {error.how_to_go_on}", file=sys.stderr)
    except OSError as failed:
        if failed.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
    return error.status
