"""The PostgreSQL of a run: its own, as safe as in production, and gone at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from localservers.checks import scratch_home
from localservers.environment import full_environment
from localservers.home import Home
from localservers.kafka import Kafka
from localservers.postgres import DATABASE, Postgres

# Write-ahead log is what ingest costs at scale: no checkpoint is to come in between.
SETTINGS = "max_wal_size = '16GB'\ncheckpoint_timeout = '15min'\n"


@contextmanager
def own_server(home: Home) -> Iterator[None]:
    """A server in a directory of its own below the home, and our environment leading to it."""
    before = dict(os.environ)
    with scratch_home(home) as scratch:
        server = replace(Postgres.from_environment(scratch), extra_settings=SETTINGS)
        server.up()
        os.environ.update(full_environment(server, database=DATABASE))
        # Kafka's, too, is removed with the run; what Maven brought for it is not.
        os.environ["TOM_KAFKA_JARS"] = str(Kafka(home).jar_directory)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
