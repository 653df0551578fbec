"""Packs guests onto the machine: those with one CPU two at a time, then the larger ones alone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

_TOGETHER = 2


def run_packed(cases: list, cpus: Callable, work: Callable, stop: threading.Event) -> Iterator:
    """Yields the results of `work(case)` as they come. An exception here or in `work` sets `stop`, which ends the guests."""
    small = [case for case in cases if cpus(case) == 1]
    large = [case for case in cases if cpus(case) != 1]
    for group, together in ((small, _TOGETHER), (large, 1)):
        with ThreadPoolExecutor(together) as pool:
            try:
                pending = {pool.submit(work, case) for case in group}
                while pending:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
