"""A run that nobody disturbs, which is what every disturbed one has to come to in the end.

It is made on a small simulated survey, so that the real data need not be there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import create_database, drop_database
from tests.localtom import LocalTom, database_name
from tom_desc.streams.fakebroker import NUGENT, RANDOM_SN_TYPE

OBJECTS = 60
BATCH = 50
PUBLISHED_MS = 1_700_000_000_000

PPDB = (
    "ppdbdiaobject",
    "ppdbdiasource",
    "ppdbdiaforcedsource",
    "ppdbalert",
    "ppdbencodedobject",
    "diaobjecttruth",
)
# Ids that count up are not the same in two runs; what they stand for is.
LOADED = {f"elasticc2_{table}": "*" for table in PPDB} | {
    "elasticc2_loadnews, unnest(diaobject_ids) AS diaobject_id": "diaobject_id"
}
CLASSIFIER_NAMES = "brokername, brokerversion, classifiername, classifierparams"
HEARD = {
    "elasticc2_brokerclassifier": CLASSIFIER_NAMES,
    "elasticc2_brokermessage JOIN elasticc2_brokerclassifier USING (classifier_id)": (
        f"diasource_id, alert_id, streammessage_id, topicname, msghdrtimestamp, elasticcpublishtimestamp,"
        f" brokeringesttimestamp, classid, probability, {CLASSIFIER_NAMES}"
    ),
    "elasticc2_brokersourceids": "*",
    "(SELECT DISTINCT unnest(diasource_ids) FROM elasticc2_brokernews) news": "*",
}
INFO = ", ".join(
    f"{group}_id, {group}flux, {group}fluxerr, {group}mjd"
    for group in ("firstsource", "maxforcedsource", "latestsource", "latestforcedsource")
)
STORED = dict(list(HEARD.items())[:2])
REVEALED = {
    f"elasticc2_{table}": "*"
    for table in ("diaobject", "diasource", "diaforcedsource", "packedlightcurve", "objectsummary")
} | {
    "elasticc2_diaobjectinfo": f"diaobject_id, filtername, {INFO}",
    "elasticc2_diaobjectclassification JOIN elasticc2_brokerclassifier USING (classifier_id)": (
        "diaobject_id, classifiername, latestclass1id, latestclass2id, latestclass3id, latestclass4id,"
        " latestclass1prob, latestclass2prob, latestclass3prob, latestclass4prob"
    ),
}

Tables = dict[str, str]
Contents = dict[str, tuple[int, str]]

# Whatever the order of the rows, and whatever the server's idea of an alphabet.
DIGEST = """
SELECT count(*), md5(string_agg(r::text, E'\\n' ORDER BY r::text COLLATE "C"))
FROM (SELECT {columns} FROM {table}) r"""


def contents(tom: LocalTom, tables: Tables) -> Contents:
    """How many rows each table has, and a digest of them."""
    return {
        table: tom.sql(DIGEST.format(columns=columns, table=table))[0] for table, columns in tables.items()
    }


Messages = list[dict[str, Any]]


@dataclass
class Uninterrupted:
    """The databases after loading and after hearing, and what all came to."""

    survey: list[Path]
    loaded: str
    heard: str
    messages: Messages = field(default_factory=list)
    contents: Contents = field(default_factory=dict)
    points: dict[int, list[float]] = field(default_factory=dict)
    detections: dict[int, set[float]] = field(default_factory=dict)

    def of(self, tables: Tables) -> Contents:
        return {table: self.contents[table] for table in tables}

    @property
    def load(self) -> list[object]:
        """The loader's command line: three worker processes."""
        return ["load_snana_fits", "--ppdb", "--do", "-n", 3, "-d", *self.survey]

    @property
    def batches(self) -> list[Messages]:
        return batches(self.messages)


def database(name: str, *, template: str, directory: Path) -> LocalTom:
    create_database(name, template=template)
    return LocalTom(name, directory)


@contextmanager
def copied(template: str, directory: Path) -> Iterator[LocalTom]:
    """A TOM on a copy of a database."""
    name = database_name("copy")
    with database(name, template=template, directory=directory) as tom:
        yield tom
    drop_database(name)


def answers(tom: LocalTom) -> Messages:
    """What two classifiers say of every second alert."""
    sources = tom.sql("SELECT diasource_id FROM elasticc2_ppdbdiasource ORDER BY midpointtai")[::2]
    return [
        classifier.answer(
            alert_id=source, diasource_id=source, published_ms=PUBLISHED_MS, now_ms=PUBLISHED_MS
        )
        for (source,) in sources
        for classifier in (NUGENT, RANDOM_SN_TYPE)
    ]


def batches(messages: Messages) -> list[Messages]:
    return [messages[start : start + BATCH] for start in range(0, len(messages), BATCH)]


HEARD_AND_FORGOTTEN = """
    SELECT count(*) FROM elasticc2_brokermessage m
    WHERE NOT EXISTS (SELECT FROM elasticc2_diasource s WHERE s.diasource_id = m.diasource_id)
      AND diasource_id NOT IN (SELECT unnest(diasource_ids) FROM elasticc2_brokernews)"""


def check_all_is_revealed(tom: LocalTom, calm: Uninterrupted) -> None:
    """Nothing waits any more, and all came out as if nothing had happened."""
    assert tom.counts("brokernews", "loadnews", "brokersourceids", "unknownsource") == (0, 0, 0, 0)
    assert tom.one(HEARD_AND_FORGOTTEN) == 0
    assert contents(tom, REVEALED) == calm.of(REVEALED)
    tom.manage("doctor")
