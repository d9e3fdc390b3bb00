"""What families of metrics say, for a test to compare."""

from collections.abc import Iterable

from prometheus_client.core import Metric


def samples(families: Iterable[Metric], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Values of one family by the values of some of its labels, which must tell them apart."""
    [family] = [family for family in families if name in (family.name, f"{family.name}_total")]
    found = {tuple(sample.labels[label] for label in labels): sample.value for sample in family.samples}
    assert len(found) == len(family.samples)
    return found
