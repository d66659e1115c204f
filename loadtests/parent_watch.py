"""Ends a load when the experiment that started it is gone."""

import logging
import os
import signal

import gevent

# In the environment: the PID of the experiment, set by lab/experiment/load.py. A Locust that a user starts has none.
STARTER = "WEBLAB_LOAD_STARTER"
ASK_EVERY_S = 1.0


def watch() -> None:
    """Wait until the starter is gone, then send SIGTERM to this process, as the starter would; without one, return."""
    starter = os.environ.get(STARTER)
    if not starter:
        return
    while os.getppid() == int(starter):  # an orphan gets another parent at once
        gevent.sleep(ASK_EVERY_S)
    logging.error("the load ends: the experiment that started it is gone")
    os.kill(os.getpid(), signal.SIGTERM)
