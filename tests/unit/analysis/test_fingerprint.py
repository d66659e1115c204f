"""Which changes make a result one of different code."""

from pathlib import Path

import pytest

from lab.analysis import matrix_results


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("lab/a.py", True),
        ("lab/checks/b.py", True),
        ("provision/templates/haproxy.cfg.j2", True),
        ("lab.yml", True),
        ("experiments/control.yml", True),
        ("experiments/other.yml", False),
        ("experiments/controls/control.yml", True),
        ("lab/report/page.py", False),
        ("lab/__pycache__/a.pyc", False),
        ("docs/matrix.md", False),
        ("tests/unit/test_a.py", False),
    ],
)
def test_a_result_is_one_of_what_can_change_it(tmp_path: Path, path: str, matters: bool) -> None:
    """A change of documents, tests, reports or another experiment keeps the row valid."""
    for name in ("lab/a.py", "lab.yml", "experiments/control.yml", path):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before = 1\n", encoding="utf-8")
    before = matrix_results.fingerprint("control", tmp_path)
    (tmp_path / path).write_text("after = 1\n", encoding="utf-8")
    assert (matrix_results.fingerprint("control", tmp_path) != before) == matters


def test_the_order_of_statements_and_files_does_not_matter(tmp_path: Path) -> None:
    """One of two functions moves to a file that comes before the other's."""
    one, two = "def one() -> int:\n    return 1\n", "def two() -> int:\n    return 2\n"
    for name in ("lab.yml", "experiments/control.yml", "lab/b.py", "lab/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(one + two if name == "lab/b.py" else "", encoding="utf-8")
    before = matrix_results.fingerprint("control", tmp_path)
    (tmp_path / "lab/b.py").write_text(one, encoding="utf-8")
    (tmp_path / "lab/a.py").write_text(two, encoding="utf-8")
    assert matrix_results.fingerprint("control", tmp_path) == before


@pytest.mark.parametrize("call", ["", "events.init.add_listener(other)\n"], ids=["taken away", "changed"])
def test_what_a_file_does_when_it_is_read_matters(tmp_path: Path, call: str) -> None:
    """The load attaches its work to Locust's events by calls at module level."""
    for name in ("lab.yml", "experiments/control.yml", "loadtests/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("events.init.add_listener(start)\n", encoding="utf-8")
    before = matrix_results.fingerprint("control", tmp_path)
    (tmp_path / "loadtests/a.py").write_text(call, encoding="utf-8")
    assert matrix_results.fingerprint("control", tmp_path) != before


MOVES = {
    "to another file": ("", "import json\n\n\ndef one() -> int:\n    return 1\n", True),
    "changed": ("", "def one() -> int:\n    return 2\n", False),
    "away": ("", "", False),
    "with a docstring": ("", 'def one() -> int:\n    """Return one."""\n    return 1\n', True),
    "in its place": ('"""What it is."""\n\ndef one() -> int:\n    return 1\n', "", True),
}


@pytest.mark.parametrize(("here", "there", "same"), MOVES.values(), ids=MOVES)
def test_code_that_is_moved_keeps_its_results(tmp_path: Path, here: str, there: str, same: bool) -> None:
    """A result belongs to the code that decides a run, not to file names."""
    for name in ("lab/a.py", "lab/checks/b.py", "lab.yml", "experiments/control.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "lab" / "a.py").write_text("def one() -> int:\n    return 1\n", encoding="utf-8")
    before = matrix_results.fingerprint("control", tmp_path)
    (tmp_path / "lab" / "a.py").write_text(here, encoding="utf-8")
    (tmp_path / "lab" / "checks" / "b.py").write_text(there, encoding="utf-8")
    assert (matrix_results.fingerprint("control", tmp_path) == before) is same
