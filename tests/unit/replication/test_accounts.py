"""MySQL accounts: detected when missing, or when password, grants or limits differ."""

import re

import pytest

from lab import topology
from lab.replication import accounts

ALL = accounts.load(topology.load())
PASSWORDS = {it.name: f"{it.name}-password" for it in ALL}
STORED = "0" * 64


def answer_of(account: accounts.Account, password: str, stored: str = STORED) -> list[str]:
    """The answer of MySQL about an account that was created with this password."""
    made = accounts.repair(account, password)
    digest = made.split("CONCAT('")[1].split(":")[0]
    lines = [f"@{account.name}@{account.host} {digest}:{STORED} {stored}"]
    lines += [f"{grant} TO {account.quoted}" for grant in account.grants]
    if not any(grant.endswith("ON *.*") for grant in account.grants):
        lines.append(f"GRANT USAGE ON *.* TO {account.quoted}")
    return lines


HEALTHY = [line for it in ALL for line in answer_of(it, PASSWORDS[it.name])]


def differing(lines: list[str]) -> list[str]:
    """The names of the accounts that would be repaired."""
    return [it.name for it in accounts.differing(ALL, PASSWORDS, "\n".join(lines))]


def test_accounts_as_desired_are_left_alone() -> None:
    """A second converge repairs nothing."""
    assert differing(HEALTHY) == []


def test_what_is_kept_beside_an_account_is_what_is_asked() -> None:
    """Its password, and whether it may still be used: an account that expired or was locked is created again."""
    hashed = re.compile(r"SHA2\(CONCAT\(([^)]+)\), 256\)")
    stored, asked = (set(hashed.findall(it)) for it in (accounts.repair(ALL[0], "secret"), accounts.question(ALL)))
    assert stored == asked == {"plugin, authentication_string, password_expired, account_locked"}


def test_a_server_that_answers_nothing_has_no_accounts() -> None:
    """All accounts are created."""
    assert differing([]) == ["site_read", "site_write", "replication", "clone"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("dropped", lambda line: None if "site_write" in line else line),
        ("grant taken away", lambda line: None if line.startswith("GRANT SELECT, INSERT") else line),
        ("more rights", lambda line: line.replace("GRANT SELECT, INSERT ON", "GRANT SELECT, INSERT, DELETE ON")),
        ("password by hand", lambda line: line.replace(f" {STORED}", " 1") if "@site_write@" in line else line),
    ],
)
def test_drift_is_seen_and_only_that_account_is_repaired(name: str, change: object) -> None:
    """site_write was changed; the others stay as they are."""
    assert callable(change)
    lines = [it for it in map(change, HEALTHY) if it is not None]
    assert differing(lines) == ["site_write"], name


def test_a_lost_secrets_file_changes_every_account() -> None:
    """New passwords differ from those that MySQL knows."""
    fresh = dict.fromkeys(PASSWORDS, "another")
    assert len(accounts.differing(ALL, fresh, "\n".join(HEALTHY))) == len(ALL)


def test_no_account_may_do_everything() -> None:
    """Each has the least privileges for its purpose."""
    for it in ALL:
        assert not any("ALL" in grant or "SUPER" in grant for grant in it.grants)


def test_accounts_are_limited_to_the_lab_network_or_the_machine_itself() -> None:
    """No account can log in from the management network."""
    assert {it.host for it in ALL} == {"localhost", "192.168.56.0/255.255.255.0"}


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("three", ["localhost"]),
        ("four", ["localhost", "192.168.56.13"]),
        ("five", ["192.168.56.11", "192.168.56.12"]),
    ],
)
def test_the_site_reads_over_the_network_only_from_servers_without_a_database(name: str, hosts: list[str]) -> None:
    """By address; nobody else on the lab's network can log in as the reading account."""
    found = accounts.load(topology.load(topology.ROOT / "docs" / "topologies" / f"{name}.yml"))
    assert [it.host for it in found if it.name == "site_read"] == hosts
    assert len({it.grants for it in found if it.name == "site_read"}) == 1


def test_the_account_of_a_server_that_left_is_outdated() -> None:
    """Accounts of other names are not the lab's: they stay."""
    lines = [*HEALTHY, "@site_read@192.168.56.13 a:b c", "@root@localhost  d", "@mysql.sys@localhost  e"]
    assert accounts.outdated(ALL, "\n".join(lines)) == ["`site_read`@`192.168.56.13`"]
    assert accounts.outdated(ALL, "\n".join(HEALTHY)) == []
