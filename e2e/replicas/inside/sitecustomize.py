"""Run by Python in an operator that tests start with this folder on its path: SIGUSR1 starves its loop.

A signal's handler runs in the main thread, which is the loop's: nothing else of the loop runs until it returns, and
the threads that answer probes do.
"""

import os
import signal
import time


def _starve(*_: object) -> None:
    time.sleep(float(os.environ["STARVE_SECONDS"]))


signal.signal(signal.SIGUSR1, _starve)
