"""What is kept of objects, recomputed from their rows: per band, per classifier, a summary, the light curve.

All statements take a table with a column ``diaobject_id`` that names the objects; a row that comes out as it
was is left alone.
"""

from typing import Any

from elasticc2.taxonomy import IA

# Column group of diaobjectinfo: which table, and which row of a band it describes.
GROUPS = {
    "firstsource": ("diasource", "midpointtai, diasource_id"),
    "latestsource": ("diasource", "midpointtai DESC, diasource_id DESC"),
    "maxforcedsource": ("diaforcedsource", "psflux = 'NaN', psflux DESC, midpointtai, diaforcedsource_id"),
    "latestforcedsource": ("diaforcedsource", "midpointtai DESC, diaforcedsource_id DESC"),
}


def one_a_band(group: str) -> str:
    """A common table expression: the group's row of each object and band."""
    table, order = GROUPS[group]
    return f"""{group} AS (
    SELECT DISTINCT ON (diaobject_id, filtername) diaobject_id, filtername,
           {table}_id AS {group}_id, psflux AS {group}flux, psfluxerr AS {group}fluxerr,
           midpointtai AS {group}mjd
    FROM {{objects}} JOIN elasticc2_{table} USING (diaobject_id)
    ORDER BY diaobject_id, filtername, {order})"""


INFO_COLUMNS = [f"{group}{name}" for group in GROUPS for name in ("_id", "flux", "fluxerr", "mjd")]


def assignments(columns: list[str]) -> str:
    return ", ".join(f"{column} = EXCLUDED.{column}" for column in columns)


def differ(table: str, columns: list[str]) -> str:
    """Whether the stored row is not what it would become."""
    stored = ", ".join(f"{table}.{column}" for column in columns)
    computed = ", ".join(f"EXCLUDED.{column}" for column in columns)
    return f"({stored}) IS DISTINCT FROM ({computed})"


INFO = f"""
WITH {", ".join(one_a_band(group) for group in GROUPS)}
INSERT INTO elasticc2_diaobjectinfo (diaobject_id, filtername, {", ".join(INFO_COLUMNS)})
SELECT diaobject_id, filtername, {", ".join(INFO_COLUMNS)}
FROM firstsource
JOIN latestsource USING (diaobject_id, filtername)
LEFT JOIN maxforcedsource USING (diaobject_id, filtername)
LEFT JOIN latestforcedsource USING (diaobject_id, filtername)
ON CONFLICT (diaobject_id, filtername) DO UPDATE SET {assignments(INFO_COLUMNS)}
WHERE {differ("elasticc2_diaobjectinfo", INFO_COLUMNS)}"""

CLASS_COLUMNS = [f"latestclass{rank}{name}" for rank in range(1, 5) for name in ("id", "prob")] + ["probia"]

# The latest message: that on the latest source, and of several on one source the one that came last.
CLASSIFICATION = f"""
WITH latest AS (
    SELECT DISTINCT ON (s.diaobject_id, m.classifier_id)
           s.diaobject_id, m.classifier_id, m.classid, m.probability
    FROM {{objects}}
    JOIN elasticc2_diasource s USING (diaobject_id)
    JOIN elasticc2_brokermessage m USING (diasource_id)
    JOIN elasticc2_brokerclassifier USING (classifier_id)
    WHERE cardinality(m.classid) > 0
    ORDER BY s.diaobject_id, m.classifier_id, s.midpointtai DESC, m.descingesttimestamp DESC,
             m.brokermessage_id DESC
), ranked AS (
    SELECT diaobject_id, classifier_id,
           array_agg(c.classid ORDER BY c.probability DESC, c.place) AS ids,
           array_agg(c.probability ORDER BY c.probability DESC, c.place) AS probs,
           coalesce(max(c.probability) FILTER (WHERE c.classid = {IA}), 0) AS probia
    FROM latest, unnest(classid, probability) WITH ORDINALITY AS c (classid, probability, place)
    GROUP BY diaobject_id, classifier_id
)
INSERT INTO elasticc2_diaobjectclassification (diaobject_id, classifier_id, {", ".join(CLASS_COLUMNS)})
SELECT diaobject_id, classifier_id, {", ".join(f"ids[{rank}], probs[{rank}]" for rank in range(1, 5))},
       probia
FROM ranked
ON CONFLICT (diaobject_id, classifier_id) DO UPDATE SET {assignments(CLASS_COLUMNS)}
WHERE {differ("elasticc2_diaobjectclassification", CLASS_COLUMNS)}"""

PACKED = {
    "mjd": "float8send(midpointtai)",
    "band": """charsend(filtername::"char")""",
    "flux": "float4send(psflux)",
    "fluxerr": "float4send(psfluxerr)",
}
PACKED_COLUMNS = ["n", *PACKED]


def in_time(sent: str) -> str:
    """The bytes of all points of an object, one after the other."""
    return f"coalesce(string_agg({sent}, '' ORDER BY midpointtai, diaforcedsource_id), '')"


LIGHT_CURVE = f"""
INSERT INTO elasticc2_packedlightcurve (diaobject_id, {", ".join(PACKED_COLUMNS)})
SELECT diaobject_id, count(diaforcedsource_id), {", ".join(in_time(sent) for sent in PACKED.values())}
FROM {{objects}}
JOIN elasticc2_diaobject USING (diaobject_id)
LEFT JOIN elasticc2_diaforcedsource USING (diaobject_id)
GROUP BY diaobject_id
ON CONFLICT (diaobject_id) DO UPDATE SET {assignments(PACKED_COLUMNS)}
WHERE {differ("elasticc2_packedlightcurve", PACKED_COLUMNS)}"""

# Which source, and what is kept of it.
EXTREMES = {
    "latest": "midpointtai DESC, diasource_id DESC",
    "peak": "psflux = 'NaN', psflux DESC, midpointtai, diasource_id",
}
EXTREME_COLUMNS = [f"{which}_{name}" for which in EXTREMES for name in ("mjd", "band", "flux", "fluxerr")]
SUMMARY_COLUMNS = ["n_sources", "n_forced", "first_mjd", *EXTREME_COLUMNS]


def extreme(which: str) -> str:
    """A common table expression: one source an object, under the summary's names."""
    return f"""{which} AS (
    SELECT DISTINCT ON (diaobject_id) diaobject_id, midpointtai AS {which}_mjd, filtername AS {which}_band,
           psflux AS {which}_flux, psfluxerr AS {which}_fluxerr
    FROM sources ORDER BY diaobject_id, {EXTREMES[which]})"""


# After the light curve, whose number of points it takes over.
SUMMARY = f"""
WITH sources AS MATERIALIZED (
    SELECT s.* FROM {{objects}} JOIN elasticc2_diasource s USING (diaobject_id)
), counted AS (
    SELECT diaobject_id, count(*) AS n_sources, min(midpointtai) AS first_mjd
    FROM sources GROUP BY diaobject_id
), {", ".join(extreme(which) for which in EXTREMES)}
INSERT INTO elasticc2_objectsummary (diaobject_id, {", ".join(SUMMARY_COLUMNS)})
SELECT diaobject_id, coalesce(n_sources, 0), n, first_mjd, {", ".join(EXTREME_COLUMNS)}
FROM {{objects}}
JOIN elasticc2_packedlightcurve USING (diaobject_id)
LEFT JOIN counted USING (diaobject_id)
LEFT JOIN latest USING (diaobject_id)
LEFT JOIN peak USING (diaobject_id)
ON CONFLICT (diaobject_id) DO UPDATE SET {assignments(SUMMARY_COLUMNS)}
WHERE {differ("elasticc2_objectsummary", SUMMARY_COLUMNS)}"""


# In the order in which one builds on another.
KEPT = {
    "diaobjectinfo": INFO,
    "diaobjectclassification": CLASSIFICATION,
    "packedlightcurve": LIGHT_CURVE,
    "objectsummary": SUMMARY,
}


def summarise(cursor: Any, objects: str) -> dict[str, int]:
    """Bring what is kept of the objects in the table ``objects`` up to their rows.

    Returns
    -------
    dict of str to int
        By table, without its prefix, how many rows were not what the photometry and the messages say.
    """
    return {table: written(cursor, statement.format(objects=objects)) for table, statement in KEPT.items()}


def written(cursor: Any, statement: str) -> int:
    cursor.execute(statement)
    return int(cursor.rowcount)


# Reveal never takes a source away, but others may.
GROUNDLESS_INFO = """
DELETE FROM elasticc2_diaobjectinfo i USING {objects} o
WHERE i.diaobject_id = o.diaobject_id
  AND NOT EXISTS (SELECT FROM elasticc2_diasource s
                  WHERE s.diaobject_id = i.diaobject_id AND s.filtername = i.filtername)"""
GROUNDLESS_CLASSIFICATION = """
DELETE FROM elasticc2_diaobjectclassification c USING {objects} o
WHERE c.diaobject_id = o.diaobject_id
  AND NOT EXISTS (SELECT FROM elasticc2_diasource s JOIN elasticc2_brokermessage m USING (diasource_id)
                  WHERE s.diaobject_id = c.diaobject_id AND m.classifier_id = c.classifier_id
                    AND cardinality(m.classid) > 0)"""


GROUNDLESS = {
    "diaobjectinfo": GROUNDLESS_INFO,
    "diaobjectclassification": GROUNDLESS_CLASSIFICATION,
}


def forget_groundless(cursor: Any, objects: str) -> dict[str, int]:
    """Remove what is kept of bands and classifiers that the objects' sources no longer have; by table."""
    return {
        table: written(cursor, statement.format(objects=objects)) for table, statement in GROUNDLESS.items()
    }
