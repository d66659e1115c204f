"""The versions of a run, as people write them: each product once, with its nodes where they differ."""

import re
from collections.abc import Iterator, Mapping

# What the nodes said, and how it reads.
PRODUCTS = (
    (r"HAProxy version (\S+)", "HAProxy"),
    (r"nginx version: nginx/(\S+)", "Nginx"),
    (r"\S*mysqld +Ver (\S+).*", "MySQL"),
    (r"PHP (\S+)", "PHP"),
    (r"php-fpm(\S+)", "PHP"),
    (r"(\d+\.\d+\.\d+[-+]\S+)", "Linux"),
)


def versions(reported: Mapping[str, str]) -> list[str]:
    """A line a product."""
    nodes: dict[str, list[str]] = {}
    for node, text in reported.items():
        for product in _products(text):
            nodes.setdefault(product, []).append(node)
    return [it if len(them) == len(reported) else f"{it} ({', '.join(them)})" for it, them in nodes.items()]


def _products(text: str) -> Iterator[str]:
    for part in text.split(", "):
        found = ((re.fullmatch(pattern, part), name) for pattern, name in PRODUCTS)
        yield next((f"{name} {match[1]}" for match, name in found if match), part)
