"""iptables rules: add one, put several first in a chain, remove one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lab import process
from lab.errors import LabError

TIMEOUT_S = 20.0
HOOKS = ("forward", "postrouting")
OF_IPTABLES = ("filter", "nat", "mangle", "raw", "security")  # tables that iptables-nft creates and `listed` reads


@dataclass(frozen=True)
class Rule:
    """One rule: its table, its chain, and its match and target in the syntax of iptables."""

    table: str
    chain: str
    spec: str


def ensure(rule: Rule, where: Sequence[str] = ()) -> None:
    """Insert a rule at the head of its chain unless the chain has it; `where` is the prefix of the command."""
    if _iptables(rule, "-C", where, ok=(0, 1)):
        _iptables(rule, "-I", where)


def remove(rule: Rule, where: Sequence[str] = ()) -> None:
    """Remove a rule; a missing rule is no error."""
    _iptables(rule, "-D", where, ok=(0, 1, 2))


def put_first(rules: Sequence[Rule], where: Sequence[str] = ()) -> None:
    """Make `rules` the first of their chain, in this order; does nothing if they are. All are of one chain."""
    chain = rules[0]
    if are_first([rule.spec for rule in rules], listed(chain.table, chain.chain, where)):
        return
    for rule in reversed(rules):
        remove(rule, where)
        _iptables(rule, "-I", where)


def listed(table: str, chain: str, where: Sequence[str] = ()) -> list[str]:
    """The rules of a chain as `iptables -S` writes them, without the policy."""
    command = [*where, "iptables", "-w", "-t", table, "-S", chain]
    return [line for line in process.run(command, timeout=TIMEOUT_S).output.splitlines() if line.startswith("-A ")]


def others_hooks(where: Sequence[str] = ()) -> list[str]:
    """The nftables chains on the forward path, except those of iptables; empty without `nft`."""
    command = [*where, "nft", "-j", "list", "chains"]
    try:
        shown = json.loads(process.run(command, timeout=TIMEOUT_S).output)
    except (LabError, ValueError):
        return []
    chains = [it["chain"] for it in shown["nftables"] if "chain" in it]
    names = [(it.get("hook"), it["table"], it["name"]) for it in chains]
    return [f"{table} {name}" for hook, table, name in names if hook in HOOKS and table not in OF_IPTABLES]


def are_first(specs: Sequence[str], listing: Sequence[str]) -> bool:
    """Whether a chain's rules begin with `specs`; iptables may list connection states in another order."""
    known = [line.split()[2:] for line in listing[: len(specs)]]
    return [_sorted(words) for words in known] == [_sorted(spec.split()) for spec in specs]


def _sorted(words: Sequence[str]) -> list[str]:
    return [",".join(sorted(word.split(","))) for word in words]


def _iptables(rule: Rule, verb: str, where: Sequence[str], ok: tuple[int, ...] = (0,)) -> int:
    command = [*where, "iptables", "-w", "-t", rule.table, verb, rule.chain, *rule.spec.split()]
    return process.run(command, timeout=TIMEOUT_S, ok=ok).exit_code
