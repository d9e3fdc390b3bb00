from django.apps import AppConfig


class SnanaConfig(AppConfig):
    """Reading and simulating survey files; no tables."""

    name = "tom_desc.snana"
    label = "snana"
