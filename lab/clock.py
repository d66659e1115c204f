"""The clock of a run: Unix seconds that never jump, also when somebody sets the clock of the machine, or it slept.

All processes of a run have the same one: whoever starts another tells it the `ZERO` of its own.
"""

import os
import time

ZERO = "WEBLAB_CLOCK_ZERO"  # in the environment: Unix seconds at which the monotonic clock of this machine was 0
_zero = float(os.environ.get(ZERO) or time.time() - time.monotonic())


def now() -> float:
    """Unix seconds when the first process of the run started, carried on by the monotonic clock of the machine."""
    return _zero + time.monotonic()


def zero() -> str:
    """What a process that is started needs to have the same clock."""
    return repr(_zero)


def jumped() -> float:
    """By how many seconds somebody set the clock of the machine since, or it slept."""
    return time.time() - now()
