"""Summaries of objects, recomputed from their rows: per band, and per classifier.

Both statements take a table with a column ``diaobject_id`` that names the objects; a row that comes out as
it was is left alone.
"""

from typing import Any

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

CLASS_COLUMNS = [f"latestclass{rank}{name}" for rank in range(1, 5) for name in ("id", "prob")]

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
           array_agg(c.probability ORDER BY c.probability DESC, c.place) AS probs
    FROM latest, unnest(classid, probability) WITH ORDINALITY AS c (classid, probability, place)
    GROUP BY diaobject_id, classifier_id
)
INSERT INTO elasticc2_diaobjectclassification (diaobject_id, classifier_id, {", ".join(CLASS_COLUMNS)})
SELECT diaobject_id, classifier_id, {", ".join(f"ids[{rank}], probs[{rank}]" for rank in range(1, 5))}
FROM ranked
ON CONFLICT (diaobject_id, classifier_id) DO UPDATE SET {assignments(CLASS_COLUMNS)}
WHERE {differ("elasticc2_diaobjectclassification", CLASS_COLUMNS)}"""


def summarise(cursor: Any, objects: str) -> None:
    """Bring the summaries of the objects in the table ``objects`` up to their rows."""
    cursor.execute(INFO.format(objects=objects))
    cursor.execute(CLASSIFICATION.format(objects=objects))
