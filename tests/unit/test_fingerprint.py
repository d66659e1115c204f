"""Which changes make a result one of another code."""

from pathlib import Path

import pytest

from lab import results


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("lab/a.py", True),
        ("lab/checks/b.py", True),
        ("provision/templates/haproxy.cfg.j2", True),
        ("lab.yml", True),
        ("experiments/control.yml", True),
        ("experiments/other.yml", False),
        ("lab/report/page.py", False),
        ("lab/__pycache__/a.pyc", False),
        ("docs/matrix.md", False),
        ("tests/unit/test_a.py", False),
    ],
)
def test_a_result_is_one_of_what_can_change_it(tmp_path: Path, path: str, matters: bool) -> None:
    """A change of documents, tests, reports or another experiment leaves a row as it is."""
    for name in ("lab/a.py", "lab.yml", "experiments/control.yml", path):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before", encoding="utf-8")
    before = results.fingerprint("control", tmp_path)
    (tmp_path / path).write_text("after", encoding="utf-8")
    assert (results.fingerprint("control", tmp_path) != before) == matters
