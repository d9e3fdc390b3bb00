from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Groups, permissions and login."""

    name = "tom_desc.accounts"
    label = "accounts"

    def ready(self) -> None:
        # The import registers the login with OpenAPI's generator.
        from tom_desc.accounts import groups, openapi  # noqa: F401

        groups.connect()
