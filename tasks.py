"""The lab's commands: `invoke --list` is the table of contents, `invoke --help lab.up` the details."""

import signal
import sys
from importlib import import_module

from invoke.collection import Collection

from commands.groups import named

# Started in the background by a shell, SIGINT is ignored and Vagrant would inherit that: nobody could interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

ns = Collection(*(import_module(f"commands.{group}").commands for group in named(sys.argv[1:])))
