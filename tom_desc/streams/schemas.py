"""The Avro schemas of the streams: files beside this one, loaded by name."""

from functools import cache
from pathlib import Path
from typing import Any

import fastavro.schema

DIRECTORY = Path(__file__).resolve().parent / "schemas"
ALERT = "elasticc.v0_9_1.alert"
BROKER_CLASSIFICATION = "elasticc.v0_9_1.brokerClassification"


def path(name: str) -> Path:
    """Where the schema's file is. A record that it uses has a file of its own in the same directory."""
    return DIRECTORY / f"{name}.avsc"


@cache
def schema(name: str) -> Any:
    """A schema with all that it refers to, parsed: what fastavro's readers and writers take.

    Parameters
    ----------
    name
        Name of the file without its ending, e.g. :data:`ALERT`.

    Raises
    ------
    FileNotFoundError
        Where there is no such schema.
    """
    if not path(name).is_file():
        raise FileNotFoundError(f"no schema {name} in {DIRECTORY}")
    return fastavro.schema.load_schema(str(path(name)))
