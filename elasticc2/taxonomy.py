"""The ELAsTiCC2 taxonomy, reference data: class id, description, SNANA types, kind of match.

Codes are hierarchical: thousands Meta 0, Static 1000, Variable 2000; the last digit that is not zero says
how specific a class is, and a 1 there means "Other".
"""

# Class id of a supernova of type Ia, the one that dark energy is measured with.
IA = 2222

EXACT, CATEGORY, GENERAL, BROAD = "exact", "category", "general", "broad"

SN_LIKE = (10, 11, 12, 20, 21, 25, 26, 27, 30, 31, 32, 35, 36, 37)
FAST = (50, 51, 82, 84, 87, 88, 89)
LONG = (40, 42, 45, 46, 59)
PERIODIC = (80, 83, 90, 91)
NON_RECURRING = tuple(sorted(SN_LIKE + FAST + LONG))
RECURRING = (60, *PERIODIC)
VARIABLE = tuple(sorted(NON_RECURRING + RECURRING))

CLASSES: tuple[tuple[int, str, tuple[int, ...], str], ...] = (
    (0, "Meta", (), ""),
    (100, "Meta/Other", (), ""),
    (200, "Residual", (), ""),
    (300, "NotClassified", (), ""),
    (1000, "Static", (), ""),
    (1100, "Static/Other", (), ""),
    (2000, "Variable", VARIABLE, BROAD),
    (2100, "Variable/Other", (), ""),
    (2200, "Non-Recurring", NON_RECURRING, GENERAL),
    (2210, "Non-Recurring/Other", (), ""),
    (2220, "SN-like", SN_LIKE, CATEGORY),
    (2221, "SN-like/Other", (), ""),
    (IA, "Ia", (10,), EXACT),
    (2223, "Ib/c", (20, 21, 25, 26, 27), EXACT),
    (2224, "II", (30, 31, 32, 35, 36, 37), EXACT),
    (2225, "Iax", (12,), EXACT),
    (2226, "91bg", (11,), EXACT),
    (2230, "Fast", FAST, CATEGORY),
    (2231, "Fast/Other", (), ""),
    (2232, "KN", (50, 51), EXACT),
    (2233, "M-dwarf Flare", (82,), EXACT),
    (2234, "Dwarf Novae", (84,), EXACT),
    (2235, "uLens", (87, 88, 89), EXACT),
    (2240, "Long", LONG, CATEGORY),
    (2241, "Long/Other", (), ""),
    (2242, "SLSN", (40,), EXACT),
    (2243, "TDE", (42,), EXACT),
    (2244, "ILOT", (45,), EXACT),
    (2245, "CART", (46,), EXACT),
    (2246, "PISN", (59,), EXACT),
    (2300, "Recurring", RECURRING, GENERAL),
    (2310, "Recurring/Other", (), ""),
    (2320, "Periodic", PERIODIC, CATEGORY),
    (2321, "Periodic/Other", (), ""),
    (2322, "Cepheid", (90,), EXACT),
    (2323, "RR Lyrae", (80,), EXACT),
    (2324, "Delta Scuti", (91,), EXACT),
    (2325, "EB", (83,), EXACT),
    (2326, "LPV/Mira", (), ""),
    (2330, "Non-Periodic", (60,), CATEGORY),
    (2331, "Non-Periodic/Other", (), ""),
    (2332, "AGN", (60,), EXACT),
)

# A closer match is every wider one too.
FLAGS = {
    EXACT: {"exactmatch": True, "categorymatch": True, "generalmatch": True, "broadmatch": True},
    CATEGORY: {"categorymatch": True, "generalmatch": True, "broadmatch": True},
    GENERAL: {"generalmatch": True, "broadmatch": True},
    BROAD: {"broadmatch": True},
}
