"""What an SQL user of ELAsTiCC2 reads: open tables whole, PPDB rows up to the clock, truth after the end."""

OPEN_TABLES = tuple(
    f"elasticc2_{name}"
    for name in (
        "brokerclassifier",
        "brokermessage",
        "brokernews",
        "brokersourceids",
        "classidofgentype",
        "clock",
        "diaforcedsource",
        "diaobject",
        "diaobjectclassification",
        "diaobjectinfo",
        "diaobjectoftarget",
        "diasource",
        "gentypeofclassid",
        "importppdbrunning",
        "objectsummary",
        "packedlightcurve",
        "plannedspectra",
        "sendbatch",
        "sendrun",
        "spectruminfo",
        "staleobjects",
        "trainingalert",
        "trainingdiaforcedsource",
        "trainingdiaobject",
        "trainingdiasource",
        "unknownsource",
        "wantedspectra",
    )
)

VISIBLE_UNTIL = "(SELECT visible_until FROM public.elasticc2_clock)"
KNOWN_BY_NOW = f"t.midpointtai <= {VISIBLE_UNTIL}"
SOURCE_KNOWN_BY_NOW = f"""
    EXISTS (SELECT FROM public.elasticc2_ppdbdiasource s
            WHERE s.{{key}} = t.{{key}} AND s.midpointtai <= {VISIBLE_UNTIL})"""

ENDED = "(SELECT ended FROM public.elasticc2_clock)"

CUT_VIEWS = {
    f"elasticc2_{name}": f"SELECT t.* FROM public.elasticc2_{name} t WHERE {condition}"
    for name, condition in {
        "ppdbdiasource": KNOWN_BY_NOW,
        "ppdbdiaforcedsource": KNOWN_BY_NOW,
        "ppdbdiaobject": SOURCE_KNOWN_BY_NOW.format(key="diaobject_id"),
        "ppdbalert": SOURCE_KNOWN_BY_NOW.format(key="diasource_id"),
        "diaobjecttruth": ENDED,
        "trainingdiaobjecttruth": ENDED,
    }.items()
}
