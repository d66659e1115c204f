"""MySQL accounts, each with the least privileges for its purpose: compared, and repaired where they differ.

The account's attribute holds a hash of the password that the lab set and a hash of what MySQL stores for it,
so a password changed by hand, or a lost secrets file, is detected without reading any password.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from lab.topology import ROOT, Lab

ACCOUNTS = ROOT / "provision" / "sql" / "accounts.yml"

# One session for all accounts: starting a client takes half a second on an emulated processor.
STORED = """SELECT CONCAT('@source ', SHA2(User_password, 256)) FROM mysql.slave_master_info;
SELECT CONCAT('@', User, '@', Host, ' ', IFNULL(User_attributes->>'$.metadata.weblab', ''), ' ',
SHA2(CONCAT(plugin, authentication_string, password_expired, account_locked), 256)) FROM mysql.user;"""


@dataclass(frozen=True)
class Account:
    """One account; `grants` are as SHOW GRANTS prints them, without the name of the account."""

    name: str
    host: str
    grants: tuple[str, ...]
    max_user_connections: int

    @property
    def quoted(self) -> str:
        """The account as SQL writes it."""
        return f"`{self.name}`@`{self.host}`"


def load(lab: Lab) -> tuple[Account, ...]:
    """The accounts of provision/sql/accounts.yml for the nodes of this lab, one for each host."""
    hosts = {"web": _readers(lab), "lab": [f"{lab.network.network_address}/{lab.network.netmask}"]}
    rows = yaml.safe_load(ACCOUNTS.read_text(encoding="utf-8"))["accounts"]
    return tuple(
        Account(it["name"], host, tuple(map(_grant, it["grants"])), it.get("max_user_connections", 0))
        for it in rows
        for host in hosts[it["host"]]
    )


def _readers(lab: Lab) -> list[str]:
    """The hosts from which the site reads, as MySQL names them.

    https://dev.mysql.com/doc/refman/8.4/en/account-names.html
    """
    local = ["localhost"] if any("web" in node.roles for node in lab.having("database")) else []
    return [*local, *(str(node.ip) for node in lab.remote_readers)]


def _grant(row: Mapping[str, str]) -> str:
    schema, table = row["object"].split(".")
    place = ".".join(word if word == "*" else f"`{word}`" for word in (schema, table))
    return f"GRANT {row['privileges']} ON {place}"


def question(accounts: Sequence[Account]) -> str:
    """Bash that prints what is stored about all accounts, then the grants of each that exists."""
    grants = " ".join(f"SHOW GRANTS FOR {it.quoted};" for it in accounts)
    sql = f"{STORED}\n{grants}"
    return f"mysql --connect-timeout=5 --force --skip-column-names <<'END_OF_SQL'\n{sql}\nEND_OF_SQL"


def differing(accounts: Sequence[Account], passwords: Mapping[str, str], answer: str) -> list[Account]:
    """The accounts that are missing or locked, or whose password or grants are wrong."""
    lines = answer.splitlines()
    stored = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("@")}
    return [
        it
        for it in accounts
        if not _same_password(it, passwords[it.name], stored.get(f"@{it.name}@{it.host}", []))
        or set(it.grants) != given(it, lines)
    ]


def outdated(accounts: Sequence[Account], answer: str) -> list[str]:
    """The accounts of these names for hosts from which the lab does not use them any more, as SQL writes them."""
    names, wanted = {it.name for it in accounts}, {(it.name, it.host) for it in accounts}
    stored = (line.split()[0].split("@") for line in answer.splitlines() if line.startswith("@"))
    found = [(it[1], it[2]) for it in stored if len(it) == 3 and it[1] in names]
    return [f"`{name}`@`{host}`" for name, host in found if (name, host) not in wanted]


def source_password(answer: str) -> str:
    """The SHA2 of the password with which this server replicates; '' if it does not replicate."""
    return next((line.split()[1] for line in answer.splitlines() if line.startswith("@source ")), "")


def _same_password(account: Account, password: str, stored: Sequence[str]) -> bool:
    if len(stored) != 2:
        return False
    ours, _, theirs = stored[0].partition(":")
    return ours == _digest(account, password) and theirs == stored[1]


def _digest(account: Account, password: str) -> str:
    text = f"{account.quoted} {account.max_user_connections} {password}"
    return hashlib.sha256(text.encode()).hexdigest()


def given(account: Account, lines: Sequence[str]) -> set[str]:
    """The grants of an account from SHOW GRANTS, without USAGE, which means no privilege and is not always shown."""
    end = f" TO {account.quoted}"
    return {line.removesuffix(end) for line in lines if line.endswith(end) and not line.startswith("GRANT USAGE")}


def repair(account: Account, password: str) -> str:
    """SQL that creates the account again with its password and grants, and stores the hashes with it."""
    who = account.quoted
    limit = f"WITH MAX_USER_CONNECTIONS {account.max_user_connections}"
    lines = [f"DROP USER IF EXISTS {who};", f"CREATE USER {who} IDENTIFIED BY '{password}' {limit};"]
    lines += [f"{grant} TO {who};" for grant in account.grants]
    lines += [
        f"SELECT SHA2(CONCAT(plugin, authentication_string, password_expired, account_locked), 256) "
        f"INTO @stored FROM mysql.user "
        f"WHERE User = '{account.name}' AND Host = '{account.host}';",
        f"SET @kept = JSON_OBJECT('weblab', CONCAT('{_digest(account, password)}:', @stored));",
        f"SET @keep = CONCAT('ALTER USER {who} ATTRIBUTE ', QUOTE(@kept));",
        "PREPARE keep FROM @keep;",
        "EXECUTE keep;",
    ]
    return "\n".join(lines)
