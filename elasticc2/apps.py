from django.apps import AppConfig


class Elasticc2Config(AppConfig):
    """The campaign ELAsTiCC2."""

    name = "elasticc2"

    def ready(self) -> None:
        from elasticc2.campaign import ELASTICC2
        from tom_desc.campaigns.registry import register

        register(ELASTICC2)
