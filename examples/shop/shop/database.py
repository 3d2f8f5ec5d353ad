"""The shop's database: a few connections that are kept open, and short sentences where it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from shop.answers import Refused
from shop.settings import Settings

Row = dict[str, Any]
_CONNECT_SECONDS = 2.0
_STATEMENT_MILLISECONDS = 4000
"""A statement that takes longer, or waits longer for a lock, is given up."""


class Database:
    """One connection a worker. Raises Refused with 503 where the database doesn't answer."""

    def __init__(self, settings: Settings) -> None:
        self._pool = ConnectionPool(
            f"host={settings.database} dbname=shop user=shop connect_timeout=2",
            kwargs={
                "password": settings.password,
                "row_factory": dict_row,
                "options": f"-c statement_timeout={_STATEMENT_MILLISECONDS}",
            },
            min_size=1,
            max_size=settings.workers,
            timeout=_CONNECT_SECONDS,
            check=ConnectionPool.check_connection,
            open=True,
        )

    def rows(self, query: str, *values: Any) -> list[Row]:
        """What a query gives; what it writes is kept."""
        with self.transaction() as connection:
            found = connection.execute(query, values)
            return list(found) if found.description else []

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A connection whose work is kept as a whole, or not at all."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            raise Refused(503, "the database has no free connection, try again in a moment") from None
        except psycopg.OperationalError as error:
            raise Refused(503, f"the database failed: {str(error).splitlines()[0]}") from None
