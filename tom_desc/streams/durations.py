"""Lengths of time in words, for who reads a page."""

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def in_words(seconds: float) -> str:
    """The two greatest units of a length of time: ``0.42 s``, ``12 s``, ``3 min 5 s``, ``2 d 7 h``."""
    if 0 < abs(seconds) < 10:
        return f"{seconds:.2f} s"
    left = abs(round(seconds))
    parts = []
    for name, length in UNITS:
        number, left = divmod(left, length)
        parts.append((number, name))
    first = next((place for place, (number, _) in enumerate(parts) if number), len(UNITS) - 1)
    words = [f"{number} {name}" for number, name in parts[first : first + 2] if number]
    return ("-" if seconds < 0 else "") + (" ".join(words) or "0 s")
