"""Large TOMs made quickly, by SQL, with photometry lying as a survey brings it: night after night.

Every second night all objects are measured once, in one band. Old objects were measured on the first 75
of these epochs, hot ones on all 100, and each was detected six times: on its last epoch and on every fifth
before. So a fifth of the objects being hot, there are 80 forced points an object, six detections, and one
message of one broker on each detection.
"""

from typing import Any

from django.db import connection

from benchmarks import databases
from benchmarks.scales import Sky
from elasticc2.campaign import ELASTICC2, FORCED_COLUMNS, OBJECT_COLUMNS, OBJECT_FLOATS, SOURCE_COLUMNS
from elasticc2.renewal import rebuild
from localservers.progress import Progress
from tom_desc.campaigns.clock import recount_sent
from tom_desc.campaigns.models import Campaign
from tom_desc.partitions import repair_sequences

EPOCHS, OLD_EPOCHS = 100, 75
DETECTIONS, EPOCHS_BETWEEN_DETECTIONS = 6, 5
FIRST_MJD, DAYS_BETWEEN_EPOCHS = 60_000, 2
# The hot ones' last three detections, and none of the old ones', are within so many days of the last epoch.
HOT_DAYS = 25.0

OBJECTS = f"""
INSERT INTO elasticc2_ppdbdiaobject ({", ".join(OBJECT_COLUMNS)})
SELECT i, 'made', 360 * random(), 60 * random() - 60, {", ".join(["random()"] * len(OBJECT_FLOATS))}, false
FROM generate_series(1, %(all)s) i"""
KNOWN_OBJECTS = f"""
INSERT INTO elasticc2_diaobject ({", ".join(OBJECT_COLUMNS)})
SELECT {", ".join(OBJECT_COLUMNS)} FROM elasticc2_ppdbdiaobject
WHERE diaobject_id <= %(known)s ORDER BY diaobject_id"""

# One epoch of all objects: points of the PPDB, then what of it was detected, and what of both the TOM has.
EPOCH = f"""
WITH measured AS (
    INSERT INTO elasticc2_ppdbdiaforcedsource ({", ".join(FORCED_COLUMNS)})
    SELECT i * 100000::bigint + %(epoch)s, %(mjd)s + i * 1e-6, substr('ugrizY', 1 + (%(epoch)s + i) %% 6, 1),
           4000 * random() * random() - 200, 20 + 10 * random(), i
    FROM generate_series(%(first)s, %(all)s) i
    RETURNING *
), detected AS (
    INSERT INTO elasticc2_ppdbdiasource ({", ".join(SOURCE_COLUMNS)})
    SELECT diaforcedsource_id, midpointtai, filtername, ra, decl, psflux, psfluxerr, psflux / psfluxerr,
           diaobject_id
    FROM measured JOIN elasticc2_ppdbdiaobject USING (diaobject_id)
    WHERE diaobject_id BETWEEN %(first_detected)s AND %(last_detected)s
    RETURNING *
), alerts AS (
    INSERT INTO elasticc2_ppdbalert (alert_id, diasource_id, diaobject_id, alertsenttimestamp)
    SELECT diasource_id, diasource_id, diaobject_id, now() FROM detected
), known AS (
    INSERT INTO elasticc2_diasource ({", ".join(SOURCE_COLUMNS)})
    SELECT {", ".join(SOURCE_COLUMNS)} FROM detected WHERE diaobject_id <= %(known)s
)
INSERT INTO elasticc2_diaforcedsource ({", ".join(FORCED_COLUMNS)})
SELECT {", ".join(FORCED_COLUMNS)} FROM measured WHERE diaobject_id <= %(known)s"""

CLASSIFIER = """
INSERT INTO elasticc2_brokerclassifier (brokername, brokerversion, classifiername)
VALUES ('Sky', '1', 'Guesses') RETURNING classifier_id"""
MESSAGES = """
INSERT INTO elasticc2_brokermessage (alert_id, diasource_id, msghdrtimestamp, elasticcpublishtimestamp,
                                     brokeringesttimestamp, classid, classifier_id, probability)
SELECT diasource_id, diasource_id, now(), now(), now(), ARRAY[2222, 2232, 2322], %(classifier)s,
       ARRAY[0.7, 0.2, 0.1]
FROM elasticc2_diasource ORDER BY midpointtai"""
TABLES_WITHOUT_INDEXES = (
    "elasticc2_ppdbdiaforcedsource",
    "elasticc2_diaforcedsource",
    "elasticc2_brokermessage",
)
CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('p', 'u')"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = %s::regclass AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)"""


def make_sky(name: str, sky: Sky, progress: Progress) -> None:
    """A database that holds the sky; its campaign's clock is at the last epoch."""
    databases.make(name)
    with databases.using(name), connection.cursor() as cursor:
        # Rows come with all that they refer to, and nothing is to be noted about them.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'")
        rebuilt = drop_indexes(cursor)
        fill(cursor, sky, progress)
        for statement in rebuilt:
            cursor.execute(statement)
            progress.tick("indexes")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ANALYZE")
        for _ in rebuild():
            progress.tick("summaries")
        repair_sequences("elasticc2_")
        recount_sent(ELASTICC2)
        Campaign.objects.filter(name=ELASTICC2.name).update(clock=Campaign.Clock.SENT)
        progress.tick("statistics")
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")


def drop_indexes(cursor: Any) -> list[str]:
    """Drop keys and indexes of the long tables; the statements that make them again."""
    rebuilt = []
    for table in TABLES_WITHOUT_INDEXES:
        cursor.execute(CONSTRAINTS, (table,))
        for constraint, definition in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"')
            rebuilt.append(f'ALTER TABLE {table} ADD CONSTRAINT "{constraint}" {definition}')
        cursor.execute(INDEXES, (table,))
        for index, definition in cursor.fetchall():
            cursor.execute(f"DROP INDEX {index}")
            # As it is printed it would be the parent's alone, and no partition's.
            rebuilt.append(definition.replace(" ON ONLY ", " ON "))
    return rebuilt


def fill(cursor: Any, sky: Sky, progress: Progress) -> None:
    """Objects, then epoch after epoch of them, then what a broker said."""
    everything = {"all": sky.objects + sky.hidden, "known": sky.objects}
    cursor.execute(OBJECTS, everything)
    cursor.execute(KNOWN_OBJECTS, everything)
    for epoch in range(EPOCHS):
        cursor.execute(EPOCH, everything | of_epoch(epoch, sky))
        progress.tick(f"epoch {epoch + 1} of {EPOCHS}")
    cursor.execute(CLASSIFIER)
    cursor.execute(MESSAGES, {"classifier": cursor.fetchone()[0]})


def of_epoch(epoch: int, sky: Sky) -> dict[str, int]:
    """Which objects are measured, and which of them detected. Old ones have the lowest numbers."""
    old = sky.objects - sky.hot
    detected = [
        old if is_detected(epoch, OLD_EPOCHS) else 0,
        sky.objects + sky.hidden if is_detected(epoch, EPOCHS) else old,
    ]
    return {
        "epoch": epoch,
        "mjd": FIRST_MJD + epoch * DAYS_BETWEEN_EPOCHS,
        "first": 1 if epoch < OLD_EPOCHS else old + 1,
        "first_detected": 1 if detected[0] else old + 1,
        "last_detected": detected[1],
    }


def is_detected(epoch: int, epochs: int) -> bool:
    """Whether objects that are measured on the first ``epochs`` epochs are detected on this one."""
    before_last = epochs - 1 - epoch
    return (
        0 <= before_last < DETECTIONS * EPOCHS_BETWEEN_DETECTIONS
        and not before_last % EPOCHS_BETWEEN_DETECTIONS
    )


def sources_of(objectid: int) -> list[int]:
    """Ids of the sources of an object that was measured to the end."""
    return [objectid * 100_000 + epoch for epoch in range(EPOCHS) if is_detected(epoch, EPOCHS)]
