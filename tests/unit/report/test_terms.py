"""The words below a table of the report."""

import pytest

from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.report import terms
from lab.report.check_meanings import MEANINGS
from lab.report.check_rows import rows
from tests.support.timelines import quiet


@pytest.mark.parametrize("name", terms.OF_CHECKS)
def test_a_row_of_a_check_is_explained_as_the_check_is(name: str) -> None:
    """As `invoke experiment.checks` does: two explanations would drift apart."""
    judgement = Judgement.of(quiet(), [{"check": name, "reported": True}])
    shown = rows(judgement.checks, History(quiet()))
    assert (terms.OF_CHECKS[name], MEANINGS[name].text.rstrip(".")) in terms.terms(shown)


def test_a_word_that_stands_in_no_row_is_not_explained() -> None:
    """A reader has enough to read."""
    assert terms.terms([]) == []
