"""Benchmarks run on local servers."""

from tests.localservers.conftest import kafka_jars as kafka_jars
