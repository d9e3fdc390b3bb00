"""How the login appears in the OpenAPI text."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class SessionLoginScheme(OpenApiAuthenticationExtension):
    target_class = "tom_desc.accounts.csrf.SessionLogin"
    name = "login"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The session of /accounts/login/; POST and PUT also need its X-CSRFToken.",
        }
