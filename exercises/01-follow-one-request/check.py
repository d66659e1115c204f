"""Judges exercise 01 by the student's answers and what the lab answers now."""

import re

from lab.exercises.facts import Facts
from lab.exercises.goals import GoalResult, not_yet, right

ORDER = ("dnsmasq", "haproxy", "nginx", "php-fpm", "mysql")
CALLED = {
    "dnsmasq": ("dns", "nameserver", "name-server"),
    "haproxy": ("balancer", "loadbalancer", "load-balancer", "lb"),
    "nginx": ("webserver", "web-server"),
    "php-fpm": ("php", "phpfpm", "fpm"),
    "mysql": ("mysqld", "database", "db"),
}
TRACE = "invoke lab.trace"
HEADERS = 'curl -sI --resolve "www.foobar.com:80:ADDRESS" http://www.foobar.com/'
ANSWER = "invoke exercise.check 01 --answer {}=..."


def address(facts: Facts) -> GoalResult:
    """The address that the lab's name server gives for the site."""
    said = facts.answers.get("address", "")
    if not facts.address:
        return not_yet("the lab's name server gives no address now", TRACE)
    if not said:
        return _unanswered("address")
    if said == facts.address:
        return right(f"the name server says {facts.address} too")
    node = next((it for it in facts.status["nodes"] if it["ip"] == said), None)
    whose = (
        f"the address of {node['name']}, and a name that led there would go past a layer" if node else "not of the lab"
    )
    return not_yet(f"the lab's name server gives another address than {said}: that is {whose}", "dig (see the text)")


def servers(facts: Facts) -> GoalResult:
    """The servers that answer requests in a row; in any order, each as often as the student likes."""
    said, there = _words(facts.answers.get("servers", "")), facts.having("web")
    answered = {it.served_by for it in facts.pages if it.served_by}
    if not said:
        return _unanswered("servers")
    if not answered:
        return not_yet("no server answers now", TRACE)
    if strangers := [it for it in said if it not in there]:
        return not_yet(f"no answer has {strangers[0]} in x-served-by: it is not a web server", HEADERS)
    if set(said) == answered:
        return right(f"{len(facts.pages)} requests in a row were served by: {', '.join(sorted(answered))}")
    what = f"{len(facts.pages)} requests in a row were served by {len(answered)}, you named {len(set(said))}"
    return not_yet(f"{what}: ask more often, and look at each answer", HEADERS)


def pair(facts: Facts) -> GoalResult:
    """A server and the database that it read from, as one answer has them."""
    said = facts.answers.get("pair", "")
    server, _, database = said.partition(":")
    read = {it.served_by: it.database for it in facts.pages if it.served_by and it.database}
    if not said:
        return _unanswered("pair")
    if server not in read:
        return not_yet(f"{server!r} served none of {len(facts.pages)} requests just now", HEADERS)
    if read[server] == database:
        return right(f"an answer of {server} names the database of {database}")
    return not_yet(f"an answer of {server} named another database than {database!r} just now", HEADERS)


def writes(facts: Facts) -> GoalResult:
    """The primary of this moment: writes go to it, whichever server takes the request."""
    said, known = facts.answers.get("writes", ""), (facts.status["database"] or {}).get("primary")
    if not said:
        return _unanswered("writes")
    if not known:
        return not_yet("no database takes writes now", "invoke db.status")
    if said == known:
        return right(f"the database of {known} is the one that may be written")
    if said not in facts.having("database"):
        return not_yet(f"{said} has no database", "invoke lab.status")
    return not_yet(f"the database of {said} refuses writes: it is read-only", "invoke db.status")


def path(facts: Facts) -> GoalResult:
    """The five programs in their order, by any of their usual names."""
    said = [_program(it) for it in _words(facts.answers.get("path", "").replace("->", ",").replace(">", ","))]
    if not said:
        return _unanswered("path")
    if strangers := [it for it in said if it not in ORDER]:
        return not_yet(f"{strangers[0]!r} is no program on the way of a read", TRACE)
    if missing := len(ORDER) - len(set(said)):
        return not_yet(f"{missing} of {len(ORDER)} programs are missing", "invoke lab.status")
    if len(said) > len(ORDER):
        return not_yet("a program is named twice; a read meets each of them once", TRACE)
    if tuple(said) == ORDER:
        return right("the layers of lab.trace come in this order")
    place = next(i for i, (one, other) in enumerate(zip(said, ORDER, strict=True), 1) if one != other)
    return not_yet(f"all {len(ORDER)} programs are there, but number {place} comes at another place", TRACE)


def _program(word: str) -> str:
    return next((name for name, others in CALLED.items() if word in others), word)


def _words(text: str) -> list[str]:
    return [it for it in re.split(r"[,;]+", text) if it]


def _unanswered(goal: str) -> GoalResult:
    return not_yet("not answered yet", ANSWER.format(goal))


def same(facts: Facts) -> str:
    """Whether two requests in a row had the same server."""
    served = [it.served_by for it in facts.pages if it.served_by]
    return "" if len(served) < 2 else "same" if served[0] == served[1] else "different"


def machines(facts: Facts) -> str:
    """The machines that one read touches: name server, balancer, web server, database."""
    first = next((it for it in facts.pages if it.served_by and it.database), None)
    if first is None:
        return ""
    touched = dict.fromkeys([*facts.having("nameserver"), *facts.having("balancer"), first.served_by, first.database])
    return f"{len(touched)} ({', '.join(touched)})"


GOALS = {"address": address, "servers": servers, "pair": pair, "writes": writes, "path": path}
MEASURED = {"same": same, "machines": machines}
