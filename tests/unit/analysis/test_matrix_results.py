"""docs/matrix.jsonl: every result is kept."""

import resource
from pathlib import Path

import pytest

from lab.analysis import matrix_results
from lab.errors import BadInput
from tests.support.matrix_doubles import result

WEB = "nginx version: nginx/1.26.3, /usr/sbin/mysqld  Ver 9.7.0 for, php-fpm8.4, 6.12.48+deb13-amd64"
REPORTED = {"lb1": "HAProxy version 3.0.11-1+deb13u1, 6.12.48+deb13-amd64", "web1": WEB, "web2": WEB}


def test_results_are_only_ever_added(tmp_path: Path) -> None:
    """The newest of a name comes first."""
    path = tmp_path / "matrix.jsonl"
    assert matrix_results.load(path) == []
    for seed in (1, 2):
        matrix_results.append(result(seed=seed), path)
    matrix_results.append(result(name="control", seed=3), path)
    assert [it["seed"] for it in matrix_results.of(matrix_results.load(path), "web1-freeze")] == [2, 1]
    assert matrix_results.of(matrix_results.load(path), "web1-freeze", "other code") == []
    assert matrix_results.of(matrix_results.load(path), "web1-freeze", "f", rounds=11) == []


def test_a_result_that_has_no_room_leaves_no_half_line(tmp_path: Path) -> None:
    """The next line would join it, and nothing could be run or drawn any more."""
    path = tmp_path / "matrix.jsonl"
    matrix_results.append(result(), path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            matrix_results.append(result(), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(matrix_results.load(path)) == 1


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    """Nothing is run or drawn before it is repaired."""
    path = tmp_path / "matrix.jsonl"
    matrix_results.append(result(), path)
    path.write_text(path.read_text(encoding="utf-8") + '{"name": 1}\n[]\n{"na', encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        matrix_results.load(path)
    assert [it.split(":")[0] for it in caught.value.evidence.splitlines()] == ["- line 2", "- line 3", "- line 4"]


def test_versions_are_read_from_what_the_nodes_said() -> None:
    """One of each product; several if the nodes differ."""
    assert matrix_results.versions(REPORTED) == {
        "haproxy": "3.0.11-1+deb13u1",
        "nginx": "1.26.3",
        "php": "8.4",
        "mysql": "9.7.0",
        "kernel": "6.12.48+deb13-amd64",
    }
    other = {**REPORTED, "web2": WEB.replace("9.7.0", "9.7.1")}
    assert matrix_results.versions(other)["mysql"] == "9.7.0 and 9.7.1"
    assert matrix_results.versions({"web1": "PHP 8.4.11"}) == {"php": "8.4.11"} and matrix_results.versions({}) == {}
