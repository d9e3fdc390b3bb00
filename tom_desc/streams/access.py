"""Who sees what of the streams (``decisions.md``, Who sees what)."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tom_desc.accounts.brokers import brokers_of
from tom_desc.accounts.groups import is_admin

View = Callable[..., HttpResponseBase]


def for_admins(view: View) -> View:
    """A page of the operators: others get 403, who is not logged in the login."""

    @functools.wraps(view)
    def only(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_admin(request.user):
            raise PermissionDenied("This page is for the operators, the group elasticc_admin.")
        return view(request, *args, **kwargs)

    return login_required(only)


def own_brokers(user: Any) -> set[str] | None:
    """The broker names whose messages and rejects are the account's own; None: those of all brokers.

    Raises
    ------
    PermissionDenied
        Where it is no account of a broker team.
    """
    if is_admin(user):
        return None
    try:
        return brokers_of(user)
    except PermissionError:
        raise PermissionDenied("This page is for broker teams, the group elasticc_broker.") from None


def shown_brokers(user: Any) -> set[str] | None:
    """The same, and for who belongs to no broker team those of all brokers."""
    try:
        return own_brokers(user)
    except PermissionDenied:
        return None
