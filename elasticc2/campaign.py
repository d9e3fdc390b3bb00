"""ELAsTiCC2 in one place: its name, tables, columns, and how SQL, Avro and JSON spell the same thing."""

from elasticc2 import cuts
from tom_desc.campaigns.registry import CampaignInfo
from tom_desc.snana.columns import BANDS, OPTIONAL_OBJECT_COLUMNS

NAME = "elasticc2"
DEFAULT_SIMVERSION = "2023-04-01"
SNANA_ZEROPOINT = 27.5
ALERT_ZEROPOINT = 31.4
# AB zeropoints that have a name of their own.
FLUX_UNITS = {31.4: "nJy", 27.5: "FLUXCAL"}

MAGS = tuple(f"mag_{band.lower()}" for band in BANDS)
MAGERRS = tuple(f"magerr_{band.lower()}" for band in BANDS)
# In the order of the table, which is that of the Avro schema; isddf, last in the table, is not in alerts.
OBJECT_FLOATS = tuple(ours for ours, _, _ in OPTIONAL_OBJECT_COLUMNS)
OBJECT_COLUMNS = ("diaobject_id", "simversion", "ra", "decl", *OBJECT_FLOATS, "isddf")

SOURCE_COLUMNS = (
    "diasource_id",
    "midpointtai",
    "filtername",
    "ra",
    "decl",
    "psflux",
    "psfluxerr",
    "snr",
    "diaobject_id",
)
FORCED_COLUMNS = ("diaforcedsource_id", "midpointtai", "filtername", "psflux", "psfluxerr", "diaobject_id")
ALERT_COLUMNS = ("alert_id", "diasource_id", "diaobject_id")

# What `include_hostinfo` adds to a light curve: the first host's, in the order of the original.
HOSTINFO_COLUMNS = (
    *(f"hostgal_{name}" for name in (*MAGS, *MAGERRS)),
    *("hostgal_ellipticity", "hostgal_sqradius", "hostgal_snsep"),
)

# SQL name -> name in the alert schema (v0_9_1) and in getalert's JSON.
AVRO_NAMES = {
    "alert_id": "alertId",
    "diaobject_id": "diaObjectId",
    "diasource_id": "diaSourceId",
    "diaforcedsource_id": "diaForcedSourceId",
    "midpointtai": "midPointTai",
    "filtername": "filterName",
    "psflux": "psFlux",
    "psfluxerr": "psFluxErr",
    "simversion": "simVersion",
    **{f"{host}_{mag}_y": f"{host}_{mag}_Y" for host in ("hostgal", "hostgal2") for mag in ("mag", "magerr")},
}


def avro_name(column: str) -> str:
    """The alert schema's spelling of an SQL column."""
    return AVRO_NAMES.get(column, column)


ELASTICC2 = CampaignInfo(
    name=NAME,
    title="ELAsTiCC2",
    clock_view="elasticc2_clock",
    latest_sent=(
        "SELECT max(midpointtai) FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)"
        " WHERE alertsenttimestamp IS NOT NULL"
    ),
    open_tables=cuts.OPEN_TABLES,
    cut_views=cuts.CUT_VIEWS,
    checkup="elasticc2.checkup.checkup",
)
