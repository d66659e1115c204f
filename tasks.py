"""The lab's commands: `invoke --list` lists them, `invoke --help lab.up` explains one."""

import signal

from invoke.collection import Collection
from invoke.main import program

from commands import (
    completion,
    experiment,
    experiment_compare,
    experiment_matrix,
    experiment_scale,
    experiment_spof,
    lab,
    misspelt,
    one_letter,
    optional_words,
)

# A shell starts background processes with SIGINT ignored. Vagrant would inherit that and could not be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

one_letter.allow()
optional_words.allow()
experiment.commands.add_task(experiment_compare.compare)
experiment.commands.add_task(experiment_matrix.matrix_, name="matrix")
experiment.commands.add_task(experiment_matrix.table_, name="table")
experiment.commands.add_task(experiment_spof.spof_, name="spof")
experiment.commands.add_task(experiment_scale.scale_, name="scale")
lab.commands.add_task(completion.completion)
ns = Collection(*(it.commands for it in completion.GROUPS))
misspelt.check(ns, program)
