"""The experiment that started a load: without it nobody wants what the load would still send."""

import logging
import os
import signal

import gevent

STARTER = (
    "WEBLAB_LOAD_STARTER"  # in the environment, from lab/experiment/load.py: its process; a user's own Locust has none
)
ASK_EVERY_S = 1.0


def watch() -> None:
    """Wait until the starter is gone, then end this process as the starter would have; without one, return."""
    starter = os.environ.get(STARTER)
    if not starter:
        return
    while os.getppid() == int(starter):  # that of an orphan is another one, at once
        gevent.sleep(ASK_EVERY_S)
    logging.error("the load ends: the experiment that started it is gone")
    os.kill(os.getpid(), signal.SIGTERM)
