"""The present state of hypervisor, nodes, balancer and databases, as data and as a table."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.errors import InfrastructureBroken, LabError
from lab.faults import ledger, protections
from lab.mysql import advice, last_seen
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.facts import NodeFacts, Server, ask, endings, stopped
from lab.nodes.haproxy import ALIVE
from lab.nodes.ssh import Machine, together
from lab.operations import membership
from lab.operations.balancing import restores_weight
from lab.operations.health import health, unused
from lab.state import choices, lock
from lab.state.choices import Choices
from lab.topology import Lab

RED, GREEN, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"
UP = "invoke lab.up (starts what is off, repairs what differs)"
HEALS = "invoke fault.heal"
HEAL = f"{HEALS} (undoes every injected fault)"
PROVISION = "invoke lab.provision (repairs what differs)"
HINTED = ("database: ", "balancer: ", "HAProxy: ", "lab.yml: ")
STATES = ("running", "paused", "off", "absent")


def collect(lab: Lab, machines: Sequence[Machine] = ()) -> dict[str, Any]:
    """The status in the format of the stable interface; `errors` has all that is wrong, a part not answered is null.

    Pass `machines` if there are connections already: opening one to an emulated node takes seconds.
    Raises LabNotUp only if no lab exists in this checkout.
    """
    chosen = choices.load()
    errors = [*protections.left(chosen), *membership.left_over(lab)]
    states = _states(lab, errors)
    asked_at = time.time()
    with ThreadPoolExecutor(max_workers=1) as beside:  # the site takes as long to answer as all nodes together
        answers = beside.submit(lambda: states[lab.having("balancer")[0].name] == "running" and site.healthy(lab))
        facts = _ask(lab, machines, states, errors)
    balancer = _balancer(lab, facts, chosen, errors)
    up = any(it["status"].startswith("UP") for it in (balancer or {}).get("servers", ()))
    return {
        "stage": chosen.stage,
        "site": {
            "url": lab.url,
            "ok": answers.result() or (up and site.healthy(lab)),  # it may have come back since it was asked
        },
        "nodes": [
            {
                "name": node.name,
                "ip": str(node.ip),
                "state": _state(states[node.name], facts.get(node.name)),
                "roles": list(node.roles),
                "services": dict(facts[node.name].services) if node.name in facts else None,
            }
            for node in lab.nodes
        ],
        "balancer": balancer,
        "database": _database(lab, facts, states, asked_at, errors),
        "running": lock.running(),
        "faults": ledger.entries(),
        "errors": errors,
    }


def _states(lab: Lab, errors: list[str]) -> dict[str, str]:
    try:
        states = vm_power.states(lab)
    except InfrastructureBroken as error:
        why = error.evidence.rpartition("\n")[2]
        errors.append(f"{error.what}{why and f': {why}'}; next: invoke lab.up")
        return {node.name: "unreachable" for node in lab.nodes}
    errors += [f"{name}: the machine is {state}" for name, state in states.items() if state != "running"]
    return states


def _state(power: str, facts: NodeFacts | None) -> str:
    """The state as a term of the stable interface; another term of the hypervisor is among the errors."""
    return "unreachable" if power not in STATES or (facts and facts.error) else power


def _ask(lab: Lab, machines: Sequence[Machine], states: Mapping[str, str], errors: list[str]) -> dict[str, NodeFacts]:
    running = [node.name for node in lab.nodes if states[node.name] == "running"]
    try:
        machines = [machine for machine in machines or lifecycle.machines(lab) if machine.node.name in running]
    except LabError as error:
        errors.append(error.what)
        return {}
    answers = dict(zip((machine.node.name for machine in machines), together(ask, machines), strict=True))
    errors += [f"{name}: {it.error.splitlines()[0]}" for name, it in answers.items() if it.error]
    services = [(name, unit, state) for name, it in answers.items() for unit, state in it.services.items()]
    errors += [f"{name}: {unit} is {state}" for name, unit, state in services if state != "active"]
    return answers


def _balancer(lab: Lab, facts: Mapping[str, NodeFacts], chosen: Choices, errors: list[str]) -> dict[str, Any] | None:
    name = lab.having("balancer")[0].name
    servers = facts[name].servers if name in facts else None
    if servers is None:
        errors.append(f"balancer: HAProxy on {name} can't be asked")
        return None
    shown = {server.name: server for server in servers if server.backend == "web"}
    errors += [f"balancer: {line}; next: {UP}" for line in membership.unlike(lab, shown)]
    weights = {name: (it.weight, chosen.weight(name)) for name, it in shown.items()}
    errors += [
        f"balancer: weight of {name} is {it}, chosen is {own}; next: {restores_weight(chosen, name)}"
        for name, (it, own) in weights.items()
        if it != own
    ]
    errors += [unused(name, it.status) for name, it in shown.items() if not it.status.startswith(ALIVE)]
    return {
        "algorithm": chosen.algorithm,
        "mode": chosen.mode,
        "persistence": chosen.persistence,
        "drained": [name for name in chosen.drained if name in shown],
        "servers": [{"name": name, "status": server.status, "weight": server.weight} for name, server in shown.items()],
    }


def _database(
    lab: Lab, facts: Mapping[str, NodeFacts], states: Mapping[str, str], asked_at: float, errors: list[str]
) -> dict[str, Any] | None:
    asked = {node.name: facts[node.name].database if node.name in facts else None for node in lab.having("database")}
    errors += [f"database: MySQL on {name} can't be asked" for name, it in asked.items() if it is None]
    keys = ("role", "writable", "replicating", "lag_s", "gtid_executed")
    servers = [{"name": name} | {key: getattr(it, key) for key in keys} for name, it in asked.items() if it]
    if not servers:
        return None
    last_seen.remember(asked_at, asked.values())
    degraded = last_seen.degraded()
    advised = advice.advise(lab.having("database"), asked, degraded, endings(lab, asked), states, stopped(facts))
    primaries = [it for it in asked.values() if it and it.role == "primary"]
    primary = primaries[0] if len(primaries) == 1 else None
    chosen = choices.load().durability
    advised += advice.unchosen(primary, degraded, chosen) if primary else []
    errors += [f"database: {line}" for line in advised]
    return {
        "primary": primary.node if primary else None,
        "durability": advice.durability(primary, degraded) if primary else None,
        "servers": servers,
    }


class _Paint:
    """Colours good text green and bad text red; `red` is True once a text was bad."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self.red = False

    def __call__(self, text: str, good: bool) -> str:
        self.red |= not good
        return f"{GREEN if good else RED}{text}{PLAIN}" if self.colour else text


def table(status: Mapping[str, Any], *, colour: bool) -> str:
    """The status as a table, with problems in red, then the next command."""
    paint = _Paint(colour)
    ok = status["site"]["ok"]
    lines = [f"site      {status['site']['url']}  {paint('answers', True) if ok else paint('does not answer', False)}"]
    for node in status["nodes"]:
        state = paint(f"{node['state']:<12}", node["state"] == "running")
        services = [f"{unit} {paint(it, it == 'active')}" for unit, it in (node["services"] or {}).items()]
        lines.append(f"{node['name']:<9} {node['ip']:<16} {state} {', '.join(services)}")
    lines += _balancer_lines(status["balancer"], paint)
    lines += _database_lines(status["database"], paint) + _swapped(status)
    lines += [f"running   {status['running']}"] if status["running"] else []
    lines += [paint(f"fault     {it['id']}", False) for it in status["faults"]]
    lines += [paint(f"wrong     {error}", False) for error in status["errors"]]
    return "\n".join(lines + (_next(status) if paint.red else []))


def _next(status: Mapping[str, Any]) -> list[str]:
    """The next command of an operator; if a fault is injected, also the command that undoes the exercise."""
    if status["running"]:
        return ["next      let it end, or stop it with Ctrl-C in its terminal"]
    hints = [error.partition("; next: ")[2] for error in status["errors"] if error.startswith(HINTED)]
    command = next(filter(None, hints), "")
    if status["faults"] and command.startswith(HEALS):
        return [f"next      {HEAL}"]
    if status["faults"]:
        undo = f"or        {HEALS} (undoes the exercise)"
        return [f"next      {command} (as an operator would)", undo] if command else [f"next      {HEAL}"]
    if command:
        return [f"next      {command}"]
    asked = all(node["state"] == "running" and node["services"] is not None for node in status["nodes"])
    return [f"next      {PROVISION if asked else UP}"]


def _balancer_lines(balancer: Mapping[str, Any] | None, paint: _Paint) -> list[str]:
    if balancer is None:
        return []
    servers = [f"{it['name']} {paint(it['status'], _as_chosen(it, balancer))}" for it in balancer["servers"]]
    cookie = ", persistence cookie" if balancer["persistence"] == "cookie" else ""
    back = [f"drained   {name}; back: invoke lb.ready {name}" for name in balancer["drained"]]
    return [f"balancer  {balancer['algorithm']}, {balancer['mode']}{cookie}: {', '.join(servers)}", *back]


def _as_chosen(server: Mapping[str, Any], balancer: Mapping[str, Any]) -> bool:
    return server["status"] == "UP" or (server["status"] == "DRAIN" and server["name"] in balancer["drained"])


def _database_lines(database: Mapping[str, Any] | None, paint: _Paint) -> list[str]:
    if database is None:
        return []
    lines = [f"database  durability {database['durability'] or 'unknown: no primary answers'}"]
    for it in database["servers"]:
        replica = it["role"] == "replica"
        good = it["replicating"] if replica else it["role"] == "primary"
        words = [it["role"], "writable" if it["writable"] else "read-only"]
        if replica:
            words.append(_behind(it, database["primary"]))
        lines.append(f"  {it['name']:<8} {paint(', '.join(words), good)}")
    return lines


def _swapped(status: Mapping[str, Any]) -> list[str]:
    """The roles, if they are not as built, where the first database is primary; and how they are changed back."""
    first = next((node["name"] for node in status["nodes"] if "database" in node["roles"]), None)
    database = status["database"] or {"primary": None, "servers": ()}
    ready = [it for it in database["servers"] if it["name"] == first and it["replicating"] and database["primary"]]
    text = f"{database['primary']} is primary; as built: {first}; back: invoke db.promote {first}"
    return [f"swapped   {text}" for _ in ready]


def _behind(replica: Mapping[str, Any], primary: str | None) -> str:
    """The lag in words; a replica whose source is gone reports for some seconds that it is not behind."""
    if not replica["replicating"]:
        return "not replicating"
    return f"{replica['lag_s']} s behind" if primary else "replicating, its source does not answer"


def wrong(lab: Lab, status: Mapping[str, Any]) -> list[str]:
    """All that is wrong, in words; empty for a healthy lab. Problems of the databases are in the status's errors."""
    known = [*(f"{it['id']} is injected" for it in status["faults"]), *status["errors"]]
    listed = (status["balancer"] or {}).get("servers", ())
    servers = [Server("web", it["name"], it["status"], it["weight"], "") for it in listed]
    nodes = {it["name"]: NodeFacts(it["services"] or {}, servers, None) for it in status["nodes"]}
    return list(dict.fromkeys(health(lab, nodes, site_ok=status["site"]["ok"], known=known)))
