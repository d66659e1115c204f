"""The lab's commands: `invoke --list` is the table of contents, `invoke --help lab.up` the details."""

import signal

from invoke.collection import Collection

from commands import box, databases, experiments, faults, lab, matrix

# Started in the background by a shell, SIGINT is ignored and Vagrant would inherit that: nobody could interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

experiments.commands.add_task(matrix.matrix_, name="matrix")
experiments.commands.add_task(matrix.table_, name="table")
ns = Collection(lab.commands, databases.commands, faults.commands, experiments.commands, box.commands)
