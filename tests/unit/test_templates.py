"""Templates: every rendered file is looked at, and what is missing in one is named."""

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lab import topology
from lab.errors import BadInput
from lab.release import RELEASES, Release
from lab.render import FOLDER, php, render
from lab.state.choices import Choices

CASES = Path(__file__).parent / "cases" / "templates"
TOPOLOGIES = topology.ROOT / "docs" / "topologies"
ROWS: list[dict[str, Any]] = yaml.safe_load((CASES / "cases.yml").read_text(encoding="utf-8"))
SYSTEMS = {release.system: release for release in RELEASES.values()}
CREDENTIALS = {"site_read": "quote ' and backslash \\", "site_write": 'dollar $x and "', "replication": "r"}
INCLUDED = {"limits.j2", "error-page.j2"}
TEMPLATES = sorted(path.name for path in FOLDER.glob("*.j2") if path.name not in INCLUDED)
# Statements and settings that MySQL 8.4 removed: in 8.0 they still worked, so nobody would notice.
# The privilege REPLICATION SLAVE kept its name.
REMOVED = (
    r"(?i)\b(master|(?<!replication )slave|expire_logs_days|default_authentication_plugin|mysql_native_password)\b"
)


def rendered(row: dict[str, Any], system: str = "") -> str:
    """What a row of cases.yml gives."""
    lab = topology.load(TOPOLOGIES / f"{row['lab']}.yml" if "lab" in row else CASES / "lab.yml")
    release = SYSTEMS[system or row.get("system", "Ubuntu 24.04")]
    return render(
        row["template"],
        lab=lab,
        node=lab.node(row["node"]),
        release=release,
        choices=Choices(**row.get("choices", {})),
        credentials=CREDENTIALS,
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["golden"])
def test_a_rendered_file_is_its_golden_file(row: dict[str, Any]) -> None:
    """A change of a template shows what it changes; UPDATE_GOLDEN=1 accepts it."""
    golden = CASES / row["golden"]
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(rendered(row), encoding="utf-8")
    assert rendered(row) == golden.read_text(encoding="utf-8"), "if this is meant, run with UPDATE_GOLDEN=1"


def test_every_template_has_a_golden_file() -> None:
    """A new template can't stay unseen."""
    assert {row["template"] for row in ROWS} == set(TEMPLATES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["golden"])
def test_few_files_differ_between_systems(row: dict[str, Any]) -> None:
    """PHP names its paths by version; an old HAProxy takes no answer late. One text serves every nginx and MySQL."""
    texts = {rendered(row, system) for system in SYSTEMS}
    admission = "admission" not in row.get("choices", {}).get("without", ())
    differ = {"php-fpm.conf.j2": len(SYSTEMS), "haproxy.cfg.j2": 1 + admission}
    assert len(texts) == differ.get(row["template"], 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["golden"])
def test_a_file_says_which_role_writes_it(row: dict[str, Any]) -> None:
    """Whoever opens the file on a node learns first that a converge undoes changes, and whose."""
    first = rendered(row).removeprefix("<?php\n").removeprefix("#!/bin/sh\n").splitlines()[0]
    assert re.search(r"^(#|;|//) Written by the role (\w+) \(fabfile/\2\.py\): changes .* undone", first)


@pytest.mark.parametrize("path", [*FOLDER.glob("*"), *(FOLDER.parent / "sql").glob("*")], ids=lambda p: p.name)
def test_no_name_that_a_newer_mysql_removed(path: Path) -> None:
    """Files for MySQL use the names that 8.0 and all later versions understand."""
    assert not re.findall(REMOVED, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("golden", ["web1/mysqld.cnf", "web2/mysqld.cnf", "five/db1/mysqld.cnf"])
def test_nothing_but_the_file_decides_whether_a_server_boots_read_only(golden: str) -> None:
    """Values of SET PERSIST are loaded after option files and would win."""
    (row,) = [it for it in ROWS if it["golden"] == golden]
    assert {"super_read_only = ON", "persisted_globals_load = OFF"} <= set(rendered(row).splitlines())


def test_hanging_writes_leave_the_reads_their_connections() -> None:
    """The account's limit stands in one file and the server's in another."""
    accounts = yaml.safe_load((FOLDER.parent / "sql" / "accounts.yml").read_text(encoding="utf-8"))["accounts"]
    limits = {account["name"]: account.get("max_user_connections") for account in accounts}
    text = (FOLDER / "mysqld.cnf.j2").read_text(encoding="utf-8")
    places = re.search(r"^max_connections = (\d+)$", text, re.MULTILINE)
    assert places and limits["site_write"] <= int(places[1]) / 3


def test_who_waits_waits_longer_than_the_one_it_waits_for() -> None:
    """Otherwise the outer one gives up first, and the reason is lost."""
    text = (FOLDER / "limits.j2").read_text(encoding="utf-8")
    limit = {name: int(value) for name, value in re.findall(r"set (\w+_s) = (\d+)", text)}
    taken_out_s = 2 * 1.5 + 1 + 0.5  # two checks that time out, and the pauses before them
    assert 3 * limit["db_read_s"] < limit["db_next_s"] <= limit["balancer_read_s"] - limit["db_read_s"]
    assert 3 * limit["db_read_s"] < taken_out_s < limit["balancer_read_s"] < limit["fpm_read_kill_s"]
    assert limit["db_lock_wait_s"] < limit["db_write_s"]
    answered = limit["db_commit_before_s"] + 2 * limit["db_write_s"]
    assert answered < limit["balancer_write_s"] < limit["nginx_wait_s"] < limit["fpm_write_kill_s"]


def test_a_missing_value_is_named_with_its_place(tmp_path: Path) -> None:
    """File, line and name: what to look for and where."""
    (tmp_path / "x.j2").write_text("one\ntwo {{ given }}\nthree {{ wanted.inner }}\n")
    with pytest.raises(BadInput) as caught:
        render("x.j2", folder=tmp_path, given=1)
    assert str(caught.value) == f"{tmp_path}/x.j2:3: 'wanted' is undefined\nnext: the template gets these values: given"


def test_a_missing_value_in_an_included_file_is_placed_there(tmp_path: Path) -> None:
    """The place is that of the mistake, not of the file that includes it."""
    (tmp_path / "x.j2").write_text("{% include 'inner.j2' %}\n")
    (tmp_path / "inner.j2").write_text("one\n{{ wanted }}\n")
    with pytest.raises(BadInput, match=re.escape(f"{tmp_path}/inner.j2:2: 'wanted' is undefined")):
        render("x.j2", folder=tmp_path)


def test_a_broken_template_is_named_with_its_line(tmp_path: Path) -> None:
    """A mistake in the template's own language is input of ours, not a crash."""
    (tmp_path / "x.j2").write_text("one\n{% if %}\n")
    with pytest.raises(BadInput, match=re.escape(f"{tmp_path}/x.j2:2: ")):
        render("x.j2", folder=tmp_path)


def test_an_absent_template_is_named() -> None:
    """The whole path: a wrong folder shows too."""
    with pytest.raises(BadInput, match=re.escape(f"{FOLDER}/nothing.j2: there is no such template")):
        render("nothing.j2")


def test_a_php_string_can_hold_anything() -> None:
    """Only the quote and the backslash mean something between single quotes."""
    assert php("it's a \\ and $x") == r"'it\'s a \\ and $x'"


def test_a_site_without_a_domain_of_its_own_stays_one_name() -> None:
    """foobar.com alone: no shorter name is answered for."""
    lab = topology.load(CASES / "lab.yml")
    short = SimpleNamespace(site="foobar.com", nodes=lab.nodes, having=lab.having)
    text = render("dnsmasq.conf.j2", lab=short, node=lab.node("lb1"))
    assert "local=/foobar.com/\n" in text
    assert "host-record=foobar.com,192.168.56.10\n" in text


def test_every_release_renders_the_paths_of_its_php() -> None:
    """The pid file is the one that the packages' unit and log rotation know."""
    row = {"template": "php-fpm.conf.j2", "node": "web1"}
    for release in (Release.of(f"ID={key}\nVERSION_ID={number}") for key, number in RELEASES):
        assert f"pid = /run/php/{release.service('php-fpm').unit}.pid\n" in rendered(row, release.system)
