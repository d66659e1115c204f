"""iptables rules, one at a time: there, first, or gone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lab import process
from lab.errors import LabError

TIMEOUT_S = 20.0
HOOKS = ("forward", "postrouting")
OF_IPTABLES = ("filter", "nat", "mangle", "raw", "security")  # tables that iptables-nft makes and `listed` reads


@dataclass(frozen=True)
class Rule:
    """One rule: its table and chain, and what it matches and does in iptables' own words."""

    table: str
    chain: str
    spec: str


def ensure(rule: Rule, where: Sequence[str] = ()) -> None:
    """Put a rule at the head of its chain unless it is in there; `where` is the prefix of the command."""
    if _iptables(rule, "-C", where, ok=(0, 1)):
        _iptables(rule, "-I", where)


def remove(rule: Rule, where: Sequence[str] = ()) -> None:
    """Take a rule away; a rule that is not there is fine."""
    _iptables(rule, "-D", where, ok=(0, 1, 2))


def put_first(rules: Sequence[Rule], where: Sequence[str] = ()) -> None:
    """Make `rules`, all of one chain, its first ones, in this order; does nothing where they are."""
    chain = rules[0]
    if are_first([rule.spec for rule in rules], listed(chain.table, chain.chain, where)):
        return
    for rule in reversed(rules):
        remove(rule, where)
        _iptables(rule, "-I", where)


def listed(table: str, chain: str, where: Sequence[str] = ()) -> list[str]:
    """The rules of a chain as `iptables -S` writes them; its policy is no rule."""
    command = [*where, "iptables", "-w", "-t", table, "-S", chain]
    return [line for line in process.run(command, timeout=TIMEOUT_S).output.splitlines() if line.startswith("-A ")]


def others_hooks(where: Sequence[str] = ()) -> list[str]:
    """The chains of nftables that see what is forwarded, but for those of iptables; none without `nft`."""
    command = [*where, "nft", "-j", "list", "chains"]
    try:
        shown = json.loads(process.run(command, timeout=TIMEOUT_S).output)
    except (LabError, ValueError):
        return []
    chains = [it["chain"] for it in shown["nftables"] if "chain" in it]
    names = [(it.get("hook"), it["table"], it["name"]) for it in chains]
    return [f"{table} {name}" for hook, table, name in names if hook in HOOKS and table not in OF_IPTABLES]


def are_first(specs: Sequence[str], listing: Sequence[str]) -> bool:
    """Whether a chain's rules begin with `specs`; iptables writes states in an order of its own."""
    known = [line.split()[2:] for line in listing[: len(specs)]]
    return [_sorted(words) for words in known] == [_sorted(spec.split()) for spec in specs]


def _sorted(words: Sequence[str]) -> list[str]:
    return [",".join(sorted(word.split(","))) for word in words]


def _iptables(rule: Rule, verb: str, where: Sequence[str], ok: tuple[int, ...] = (0,)) -> int:
    command = [*where, "iptables", "-w", "-t", rule.table, verb, rule.chain, *rule.spec.split()]
    return process.run(command, timeout=TIMEOUT_S, ok=ok).exit_code
