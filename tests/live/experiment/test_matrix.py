"""The matrix: every experiment, with ten rounds; one that has a result of this code is not run again."""

import subprocess

import pytest

from lab.analysis import matrix_results
from lab.experiment import matrix
from lab.plan import experiment_file
from lab.topology import ROOT, Lab
from tests.live.conftest import INVOKE

pytestmark = [pytest.mark.live, pytest.mark.slow]
MATRIX_S = 24 * 3600.0


def test_every_row_passes(healthy: Lab, request: pytest.FixtureRequest) -> None:
    """At the end each has a result of this code; progress is shown because this takes hours."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        done = subprocess.run([INVOKE, "experiment.matrix"], cwd=ROOT, timeout=MATRIX_S)
    assert done.returncode == 0, "see docs/matrix.md"
    assert matrix.left(matrix.rows(experiment_file.named(healthy), "", 10), matrix_results.load()) == []
