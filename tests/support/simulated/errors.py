"""Errors that a simulated server returns."""


class SqlError(Exception):
    """An error of the server, as MySQL's client prints it."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"ERROR {number} (HY000) at line 1: {message}")


LOST = SqlError(2013, "Lost connection to MySQL server during query")
STOPPED = "This operation cannot be performed with running replication threads; run STOP REPLICA first"
