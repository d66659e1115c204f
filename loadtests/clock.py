"""The clock of a process: Unix seconds that never jump, also when somebody sets the clock of the machine."""

import time

_ZERO = time.time() - time.perf_counter()


def now() -> float:
    """Unix seconds by the clock of this machine when the process started, carried on by its monotonic clock."""
    return _ZERO + time.perf_counter()
