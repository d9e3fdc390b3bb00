"""Which column of an SNANA survey file becomes which column of our tables, in the tables' order.

Each entry is ``(our name, SNANA's name, numpy type)``. SNANA spells bands ``u g r i z Y``; our host columns
end in a lower-case ``y``.
"""

BANDS = "ugrizY"
QUANTILES = tuple(range(0, 101, 10))

Column = tuple[str, str, str]


def _host_columns(prefix: str) -> tuple[Column, ...]:
    pairs = [
        ("ellipticity", "ELLIPTICITY"),
        ("sqradius", "SQRADIUS"),
        ("zspec", "SPECZ"),
        ("zspec_err", "SPECZ_ERR"),
        ("zphot", "PHOTOZ"),
        ("zphot_err", "PHOTOZ_ERR"),
        *((f"zphot_q{q:03d}", f"ZPHOT_Q{q:03d}") for q in QUANTILES),
        *((f"mag_{band.lower()}", f"MAG_{band}") for band in BANDS),
        ("ra", "RA"),
        ("dec", "DEC"),
        ("snsep", "SNSEP"),
        *((f"magerr_{band.lower()}", f"MAGERR_{band}") for band in BANDS),
    ]
    return tuple((f"{prefix.lower()}_{ours}", f"{prefix}_{theirs}", "f4") for ours, theirs in pairs)


# HEAD columns that may be missing; a missing one is NULL for every object.
OPTIONAL_OBJECT_COLUMNS: tuple[Column, ...] = (
    ("mwebv", "MWEBV", "f4"),
    ("mwebv_err", "MWEBV_ERR", "f4"),
    ("z_final", "REDSHIFT_FINAL", "f4"),
    ("z_final_err", "REDSHIFT_FINAL_ERR", "f4"),
    *_host_columns("HOSTGAL"),
    *_host_columns("HOSTGAL2"),
)
OBJECT_COLUMNS = ("diaobject_id", "ra", "decl", *(ours for ours, _, _ in OPTIONAL_OBJECT_COLUMNS), "isddf")

TRUTH_COLUMNS: tuple[Column, ...] = (
    ("diaobject_id", "CID", "i8"),
    ("libid", "LIBID", "i4"),
    ("sim_searcheff_mask", "SIM_SEARCHEFF_MASK", "i4"),
    ("gentype", "GENTYPE", "i4"),
    ("sim_template_index", "NON1A_INDEX", "i4"),
    ("zcmb", "ZCMB", "f4"),
    ("zhelio", "ZHELIO", "f4"),
    ("zcmb_smear", "ZCMB_SMEAR", "f4"),
    ("ra", "RA", "f8"),
    ("dec", "DEC", "f8"),
    ("mwebv", "MWEBV", "f4"),
    ("galid", "GALID", "i8"),
    ("galzphot", "GALZPHOT", "f4"),
    ("galzphoterr", "GALZPHOTERR", "f4"),
    ("galsnsep", "GALSNSEP", "f4"),
    ("galsnddlr", "GALSNDDLR", "f4"),
    ("rv", "RV", "f4"),
    ("av", "AV", "f4"),
    ("mu", "MU", "f4"),
    ("lensdmu", "LENSDMU", "f4"),
    ("peakmjd", "PEAKMJD", "f4"),
    ("mjd_detect_first", "MJD_DETECT_FIRST", "f8"),
    ("mjd_detect_last", "MJD_DETECT_LAST", "f8"),
    ("dtseason_peak", "DTSEASON_PEAK", "f4"),
    *((f"peakmag_{band.lower()}", f"PEAKMAG_{band}", "f4") for band in BANDS),
    ("snrmax", "SNRMAX", "f4"),
    ("snrmax2", "SNRMAX2", "f4"),
    ("snrmax3", "SNRMAX3", "f4"),
    ("nobs", "NOBS", "i4"),
    ("nobs_saturate", "NOBS_SATURATE", "i4"),
)
NULLABLE_TRUTH_COLUMNS = ("galid", "galzphot", "galzphoterr", "galsnsep", "galsnddlr")
