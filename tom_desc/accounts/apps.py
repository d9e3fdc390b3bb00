from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Groups, permissions and login."""

    name = "tom_desc.accounts"
    label = "accounts"

    def ready(self) -> None:
        from tom_desc.accounts import groups

        groups.connect()
