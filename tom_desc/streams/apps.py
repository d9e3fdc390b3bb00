from django.apps import AppConfig


class StreamsConfig(AppConfig):
    """Kafka: schemas, alerts out, classifications in, positions, ledger and dead letters."""

    name = "tom_desc.streams"
    label = "streams"
