import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tom_desc.snana.populations import POPULATIONS, apportion

EXACT_CLASSES = (
    {10},
    {20, 21, 25, 26, 27},
    {30, 31, 32, 35, 36, 37},
    {12},
    {11},
    {50, 51},
    {82},
    {84},
    {87, 88, 89},
    {40},
    {42},
    {45},
    {46},
    {59},
    {90},
    {80},
    {91},
    {83},
    {60},
)


def test_the_populations_are_the_exact_classes_of_the_taxonomy():
    assert sorted(map(sorted, EXACT_CLASSES)) == sorted(sorted(p.gentypes) for p in POPULATIONS)


def test_shares_add_up():
    assert sum(population.share for population in POPULATIONS) == pytest.approx(1.0)


@given(st.integers(0, 100_000))
def test_every_object_belongs_to_one_class(objects):
    assert sum(count for _, count in apportion(objects)) == objects


@given(st.integers(19, 2000))
def test_no_class_is_left_out(objects):
    assert min(count for _, count in apportion(objects)) >= 1


def test_type_ia_is_the_most_common():
    counts = {population.name: count for population, count in apportion(1000)}
    assert max(counts, key=lambda name: counts[name]) == "SNIa"


def test_the_types_of_a_class_are_drawn_by_their_parts():
    population = next(p for p in POPULATIONS if p.name == "SNIbc")
    rng = np.random.Generator(np.random.PCG64(1))
    drawn = [population.draw_gentype(rng) for _ in range(2000)]
    assert set(drawn) == set(population.gentypes)
    assert drawn.count(20) / 2000 == pytest.approx(0.3, abs=0.05)
