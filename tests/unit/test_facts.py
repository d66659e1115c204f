"""Recorded answers of MySQL and HAProxy, read as data."""

from pathlib import Path

CASES = Path(__file__).parent / "cases" / "facts"
