"""URLs that work with and without the final slash."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path


def either(route: str, view: Callable[..., Any], *, name: str | None = None) -> list[URLPattern]:
    """Both forms of a URL. The first is the documented one, which ``reverse`` gives and OpenAPI shows."""
    other = route.removesuffix("/") if route.endswith("/") else f"{route}/"
    return [path(route, view, name=name), path(other, view)]
