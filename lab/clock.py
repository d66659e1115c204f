"""The clock of a run: Unix seconds that never jump, also if this machine's clock is set or the machine sleeps.

All processes of a run share it: a process passes its zero on in the environment variable `ZERO`.
"""

import os
import time

ZERO = "WEBLAB_CLOCK_ZERO"  # its value: Unix seconds at which this machine's monotonic clock was 0
_zero = float(os.environ.get(ZERO) or time.time() - time.monotonic())


def now() -> float:
    """Unix seconds: the system time at the start of the run's first process, advanced by the monotonic clock."""
    return _zero + time.monotonic()


def zero() -> str:
    """The value of `ZERO` that gives a child process the same clock."""
    return repr(_zero)


def jumped() -> float:
    """By how many seconds this machine's clock was set, or the machine slept, since the start."""
    return time.time() - now()
