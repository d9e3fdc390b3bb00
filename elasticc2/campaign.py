"""ELAsTiCC2 in one place: its name, tables, columns, and how SQL, Avro and JSON spell the same thing."""

from elasticc2 import cuts
from tom_desc.campaigns.registry import CampaignInfo

NAME = "elasticc2"
DEFAULT_SIMVERSION = "2023-04-01"
SNANA_ZEROPOINT = 27.5
ALERT_ZEROPOINT = 31.4
# AB zeropoints that have a name of their own.
FLUX_UNITS = {31.4: "nJy", 27.5: "FLUXCAL"}
BANDS = "ugrizY"

QUANTILES = tuple(f"zphot_q{percent:03d}" for percent in range(0, 101, 10))
MAGS = tuple(f"mag_{band.lower()}" for band in BANDS)
MAGERRS = tuple(f"magerr_{band.lower()}" for band in BANDS)
HOST_QUANTITIES = (
    *("ellipticity", "sqradius", "zspec", "zspec_err", "zphot", "zphot_err"),
    *QUANTILES,
    *MAGS,
    *("ra", "dec", "snsep"),
    *MAGERRS,
)
HOST_COLUMNS = tuple(f"{host}_{name}" for host in ("hostgal", "hostgal2") for name in HOST_QUANTITIES)
# In the order of the table, which is that of the Avro schema; isddf, last in the table, is not in alerts.
OBJECT_FLOATS = ("mwebv", "mwebv_err", "z_final", "z_final_err", *HOST_COLUMNS)
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
)
