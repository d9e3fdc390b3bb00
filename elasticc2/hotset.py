"""The hot set in SQL: objects detected in a window, and what had been seen of them by its end."""

from elasticc2.summaries import extreme

# What is known of a hot object's detections up to the end of the window.
COLUMNS = (
    "diaobject_id, n_sources, first_mjd, latest_mjd, latest_band, latest_flux, peak_mjd, peak_band, peak_flux"
)

# Common table expressions, of which ``hot`` is the last; they want the parameters since and until (MJD TAI,
# bounds included). The summaries say it of nearly all objects. Where they must not be trusted, or know of
# what came after the window, the sources say it.
HOT_SET = f"""
stale AS MATERIALIZED (
    SELECT DISTINCT unnest(diaobject_ids) AS diaobject_id FROM elasticc2_staleobjects
), kept AS (
    SELECT {COLUMNS}
    FROM elasticc2_objectsummary o
    WHERE latest_mjd BETWEEN %(since)s AND %(until)s
      AND NOT EXISTS (SELECT FROM stale WHERE stale.diaobject_id = o.diaobject_id)
), others AS (
    SELECT diaobject_id FROM stale
    UNION
    SELECT diaobject_id FROM elasticc2_objectsummary
    WHERE latest_mjd > %(until)s AND first_mjd <= %(until)s
), sources AS MATERIALIZED (
    SELECT s.* FROM others JOIN elasticc2_diasource s USING (diaobject_id)
    WHERE s.midpointtai <= %(until)s
), counted AS (
    SELECT diaobject_id, count(*) AS n_sources, min(midpointtai) AS first_mjd FROM sources
    GROUP BY diaobject_id HAVING max(midpointtai) >= %(since)s
), {extreme("latest")}, {extreme("peak")}, hot AS (
    SELECT {COLUMNS} FROM kept
    UNION ALL
    SELECT {COLUMNS} FROM counted JOIN latest USING (diaobject_id) JOIN peak USING (diaobject_id)
)"""
