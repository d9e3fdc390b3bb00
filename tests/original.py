"""The original system's tables of ELAsTiCC2: what dumps of it hold and what people's SQL relies on.

Columns in their physical order, ``?`` where NULL is allowed. The original has no partitions, no unique key on
messages and classifiers, and no default but identity.
"""

HOST = """
    ellipticity real?, sqradius real?, zspec real?, zspec_err real?, zphot real?, zphot_err real?,
    zphot_q000 real?, zphot_q010 real?, zphot_q020 real?, zphot_q030 real?, zphot_q040 real?,
    zphot_q050 real?, zphot_q060 real?, zphot_q070 real?, zphot_q080 real?, zphot_q090 real?,
    zphot_q100 real?, mag_u real?, mag_g real?, mag_r real?, mag_i real?, mag_z real?, mag_y real?,
    ra real?, dec real?, snsep real?,
    magerr_u real?, magerr_g real?, magerr_r real?, magerr_i real?, magerr_z real?, magerr_y real?"""
HOSTS = ",".join(f"{host}_{column.strip()}" for host in ("hostgal", "hostgal2") for column in HOST.split(","))
OBJECT = f"""
    diaobject_id bigint, simversion text?, ra dp, decl dp, mwebv real?, mwebv_err real?, z_final real?,
    z_final_err real?, {HOSTS}, isddf boolean"""
SOURCE = """
    diasource_id bigint, midpointtai dp, filtername text, ra dp, decl dp, psflux real, psfluxerr real,
    snr real, diaobject_id bigint?"""
FORCED = """
    diaforcedsource_id bigint, midpointtai dp, filtername text, psflux real,
    psfluxerr real, diaobject_id bigint"""
ALERT = "alert_id bigint, alertsenttimestamp timestamptz?, diaobject_id bigint?, diasource_id bigint?"
TRUTH = """
    libid integer, sim_searcheff_mask integer, gentype integer, sim_template_index integer, zcmb real,
    zhelio real, zcmb_smear real, ra dp, dec dp, mwebv real, galid bigint?, galzphot real?, galzphoterr real?,
    galsnsep real?, galsnddlr real?, rv real, av real, mu real, lensdmu real, peakmjd real,
    mjd_detect_first dp, mjd_detect_last dp, dtseason_peak real, peakmag_u real, peakmag_g real,
    peakmag_r real, peakmag_i real, peakmag_z real, peakmag_y real, snrmax real, snrmax2 real,
    snrmax3 real, nobs integer, nobs_saturate integer, diaobject_id bigint"""
INFO_GROUPS = ("firstsource", "maxforcedsource", "latestsource", "latestforcedsource")
INFO = ",".join(
    f"{group}_id bigint?, {group}flux dp?, {group}fluxerr dp?, {group}mjd dp?" for group in INFO_GROUPS
)

COLUMNS = {
    "ppdbdiaobject": OBJECT,
    "trainingdiaobject": OBJECT,
    "diaobject": OBJECT,
    "ppdbdiasource": SOURCE,
    "trainingdiasource": SOURCE,
    "diasource": SOURCE,
    "ppdbdiaforcedsource": FORCED,
    "trainingdiaforcedsource": FORCED,
    "diaforcedsource": FORCED,
    "ppdbalert": ALERT,
    "trainingalert": ALERT,
    "diaobjecttruth": TRUTH,
    "trainingdiaobjecttruth": TRUTH,
    "gentypeofclassid": "id integer, classid integer, gentype integer?, description text",
    "classidofgentype": """
        id integer, gentype integer, classid integer, exactmatch boolean, categorymatch boolean,
        broadmatch boolean, generalmatch boolean, description text""",
    "brokerclassifier": """
        classifier_id bigint, brokername varchar(100), brokerversion text?, classifiername varchar(200),
        classifierparams text?, modified timestamptz""",
    "brokermessage": """
        brokermessage_id bigint, streammessage_id bigint?, topicname varchar(200)?, alert_id bigint,
        diasource_id bigint, msghdrtimestamp timestamptz?, descingesttimestamp timestamptz,
        elasticcpublishtimestamp timestamptz?, brokeringesttimestamp timestamptz?, classid smallint[],
        classifier_id bigint, probability real[]""",
    "brokersourceids": "diasource_id bigint",
    "importppdbrunning": "id bigint, running boolean",
    "diaobjectinfo": f"_id bigint, filtername text, {INFO}, diaobject_id bigint",
    "diaobjectclassification": """
        _id bigint, latestclass1id smallint, latestclass2id smallint?, latestclass3id smallint?,
        latestclass4id smallint?, latestclass1prob real, latestclass2prob real?, latestclass3prob real?,
        latestclass4prob real?, classifier_id bigint, diaobject_id bigint""",
    "diaobjectoftarget": "id bigint, tomtarget_id bigint, diaobject_id bigint",
    "wantedspectra": """
        wantspec_id text, wanttime timestamptz, requester text?, priority integer, diaobject_id bigint,
        user_id integer""",
    "plannedspectra": """
        reqspec_id integer, facility text, created_at timestamptz, plantime timestamptz?, comment text,
        diaobject_id bigint""",
    "spectruminfo": """
        specinfo_id integer, facility text?, inserted_at timestamptz, mjd real, z real?, classid integer?,
        diaobject_id bigint""",
}
# The first column, except here.
PRIMARY_KEYS = {"diaobjecttruth": "diaobject_id", "trainingdiaobjecttruth": "diaobject_id"}
# Sequence of the primary key, where the database makes it.
SEQUENCES = {
    "brokerclassifier": "elasticc2_brokerclassifier_classifierId_seq",
    "brokermessage": "elasticc2_brokermessage_brokerMessageId_seq",
    "diaobjectinfo": "elasticc2_diaobjectinfo__id_seq",
}
# The tables of a dump, and what their columns refer to.
DUMPED = {
    "brokerclassifier": {},
    "brokermessage": {},
    "brokersourceids": {},
    "diaforcedsource": {"diaobject_id": "diaobject"},
    "diaobject": {},
    "diaobjectinfo": {"diaobject_id": "diaobject"},
    "diaobjecttruth": {"diaobject_id": "ppdbdiaobject"},
    "diasource": {"diaobject_id": "diaobject"},
    "ppdbalert": {"diaobject_id": "ppdbdiaobject", "diasource_id": "ppdbdiasource"},
    "ppdbdiaforcedsource": {"diaobject_id": "ppdbdiaobject"},
    "ppdbdiaobject": {},
    "ppdbdiasource": {"diaobject_id": "ppdbdiaobject"},
}


def columns(table: str) -> list[str]:
    """Names of a table's columns, in order."""
    return [name for name, _, _ in definitions(table)]


def definitions(table: str) -> list[tuple[str, str, bool]]:
    """Name, SQL type and whether NULL is allowed, of each column."""
    found = []
    for column in COLUMNS[table].split(","):
        name, kind = column.split()
        found.append((name, kind.rstrip("?").replace("dp", "double precision"), kind.endswith("?")))
    return found


def primary_key(table: str) -> str:
    return PRIMARY_KEYS.get(table, columns(table)[0])


def create_table(table: str) -> str:
    """The table as the original makes it, without foreign keys."""
    lines = [f'"{name}" {kind} {"NULL" if null else "NOT NULL"}' for name, kind, null in definitions(table)]
    if sequence := SEQUENCES.get(table):
        lines[0] += f' GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME "{sequence}")'
    if table == "diaobjectinfo":
        lines.append("CONSTRAINT diaobjectinfo_unique UNIQUE (diaobject_id, filtername)")
    return f'CREATE TABLE elasticc2_{table} ({", ".join(lines)}, PRIMARY KEY ("{primary_key(table)}"))'


def foreign_keys(table: str) -> list[str]:
    """ALTER TABLE statements, to run once all tables of a dump are there."""
    return [
        f"ALTER TABLE elasticc2_{table} ADD FOREIGN KEY ({column})"
        f" REFERENCES elasticc2_{parent} DEFERRABLE INITIALLY DEFERRED"
        for column, parent in DUMPED[table].items()
    ]
