"""What guards visitors and their notes, and can be taken away for one experiment. Nothing here touches a host."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lab.errors import BadInput, did_you_mean
from lab.state.choices import Choices


@dataclass(frozen=True)
class Protection:
    """What it says, and how it stands in `file`, which may be a command: for the report of a run that lacks it."""

    description: str
    file: str
    lines: tuple[str, ...]


PROTECTIONS: Mapping[str, Protection] = {
    "retries": Protection(
        "a read that failed is tried again",
        "haproxy.cfg",
        ("retries 4", "retry-on conn-failure empty-response response-timeout 500 502 503 504"),
    ),
    "redispatch": Protection("a try goes to another server", "haproxy.cfg", ("option redispatch 1",)),
    "admission": Protection(
        "a server gets no more requests than it can work on, the others wait briefly or are refused",
        "haproxy.cfg",
        ("server ... maxconn 2", "timeout queue 1500ms", "option abortonclose"),
    ),
    "write-safety": Protection(
        "a write that may have arrived is never sent again",
        "haproxy.cfg",
        ("option http-server-close", "(no retry-on in the backend of the writes)"),
    ),
    "unique-key": Protection(
        "the database refuses a note that is there already", "schema.sql", ("token ... NOT NULL PRIMARY KEY",)
    ),
    "confirmation": Protection(
        "the site acknowledges a durable write only where a replica confirmed it",
        "site/notes.php",
        ("SELECT ... Rpl_semi_sync_source_no_times, Rpl_semi_sync_source_status",),
    ),
    "relay-log": Protection(
        "what was received is applied before the source is left",
        "db.promote",
        ("SELECT WAIT_FOR_EXECUTED_GTID_SET(received)",),
    ),
    "fencing": Protection(
        "the old primary is made unable to write before another one opens",
        "db.promote",
        ("(the old primary loses its power)",),
    ),
}


def mistakes(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """What is wrong with a list of protections: the place in it, and why."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name not in PROTECTIONS:
            yield index, f"{name!r} is not a protection; {did_you_mean(name, PROTECTIONS)}"
        elif name in seen:
            yield index, f"{name} stands here twice"
        seen.add(name)


def checked(names: Iterable[str]) -> list[str]:
    """The names, if all are protections, none twice; raises BadInput with every mistake."""
    names = list(names)
    found = [text for _, text in mistakes(names)]
    if found:
        raise BadInput.listing("these protections can't be taken away", found)
    return names


def left(chosen: Choices) -> list[str]:
    """What an experiment took away and nobody put back yet, in words for the status."""
    reason = "an experiment took it away; next: invoke lab.provision"
    return [f"the lab runs without {name}: {reason}" for name in chosen.without]
