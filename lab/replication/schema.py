"""The site's tables: created if missing, with a unique key unless an experiment removes that."""

from lab.mysql.server_state import Database
from lab.nodes.ssh import Machine
from lab.replication.mysql_cli import sql
from lab.topology import ROOT

SCHEMA = ROOT / "provision" / "sql" / "schema.sql"
# A number replaces the key: a replica finds rows by their primary key, and it shows which of two notes with one token
# came first. COPY numbers the rows in the order of the old key, so they are the same on the replica:
# https://dev.mysql.com/doc/refman/8.4/en/replication-features-auto-increment.html
KEY_AWAY = """ALTER TABLE site.notes DROP PRIMARY KEY, ADD KEY token (token),
ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, ALGORITHM = COPY;"""
KEY_BACK = """USE site;
DELETE extra FROM notes AS extra JOIN notes AS kept ON extra.token = kept.token AND extra.row_id > kept.row_id;
ALTER TABLE notes DROP PRIMARY KEY, DROP COLUMN row_id, DROP KEY token, ADD PRIMARY KEY (token);"""


def make(primary: Machine, before: Database) -> list[str]:
    """Create the tables that are missing."""
    if before.has_site and before.has_repeats:
        return []
    sql(primary, SCHEMA.read_text(encoding="utf-8"), "creates the site's tables")
    return [f"{primary.node.name} has the site's tables"]


def key(primary: Machine, before: Database, *, wanted: bool) -> list[str]:
    """Add the unique key to the table, keeping only the first of duplicate notes; or remove the key."""
    if wanted == (before.unique_key or not before.has_site):
        return []
    title = "notes have their unique key again" if wanted else "notes have no unique key"
    sql(primary, KEY_BACK if wanted else KEY_AWAY, title)
    return [f"{primary.node.name}: {title}"]
