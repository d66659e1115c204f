"""The lab's commands: `invoke --list` is the table of contents, `invoke --help lab.up` the details."""

import signal

from invoke.collection import Collection

from commands import box, db, experiment, experiment_matrix, fault, lab

# Started in the background by a shell, SIGINT is ignored and Vagrant would inherit that: nobody could interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

experiment.commands.add_task(experiment_matrix.matrix_, name="matrix")
experiment.commands.add_task(experiment_matrix.table_, name="table")
ns = Collection(lab.commands, db.commands, fault.commands, experiment.commands, box.commands)
