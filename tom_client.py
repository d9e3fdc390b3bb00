#!/usr/bin/env python3
"""Client of the DESC TOM: logs in and asks. This one file is all of it; it needs ``requests``.

from tom_client import TomClient
tom = TomClient(url="https://desc-tom.lbl.gov", username="me", passwordfile="secret.txt")
answer = tom.post("elasticc2/ltcv", json={"objectids": [1552185]}).json()
"""

from pathlib import Path
from typing import Any

import requests

# The server gives up on a query sooner.
TIMEOUT_S = 600


class TomClient:
    """A logged-in session with a TOM.

    Parameters
    ----------
    url
        Where the TOM is, without the final slash.
    username, password
        The account. Instead of ``password``, ``passwordfile`` names a file whose first line is the password.
    connect
        Log in at once; otherwise call :meth:`connect` before the first request.

    Raises
    ------
    RuntimeError
        Where there is no password, or the TOM does not let the account in.
    """

    def __init__(
        self,
        url: str = "https://desc-tom.lbl.gov",
        username: str | None = None,
        password: str | None = None,
        passwordfile: str | Path | None = None,
        connect: bool = True,
    ) -> None:
        self.url = url.rstrip("/")
        self.username = username
        self.password = password if password is not None else first_line(passwordfile)
        self.session = requests.Session()
        if connect:
            self.connect()

    def connect(self) -> None:
        """Log in; later requests carry the session and its CSRF token."""
        login = f"{self.url}/accounts/login/"
        page = self.session.get(login, timeout=TIMEOUT_S)
        if page.status_code != 200:
            raise RuntimeError(f"{login} answered {page.status_code}: {page.text[:200]}")
        form = {
            "username": self.username,
            "password": self.password,
            "csrfmiddlewaretoken": self.session.cookies["csrftoken"],
        }
        answer = self.session.post(login, data=form, timeout=TIMEOUT_S)
        if answer.status_code != 200:
            raise RuntimeError(f"logging in as {self.username} was answered {answer.status_code}")
        if "Please enter a correct" in answer.text:
            raise RuntimeError(f"wrong user name or password for {self.username}")
        self.session.headers["X-CSRFToken"] = self.session.cookies["csrftoken"]

    def request(self, method: str, page: str, **kwargs: Any) -> requests.Response:
        """Any request to ``url/page``; keywords are those of ``requests``. Waits ten minutes at most."""
        kwargs.setdefault("timeout", TIMEOUT_S)
        return self.session.request(method, f"{self.url}/{page.lstrip('/')}", **kwargs)

    def get(self, page: str, **kwargs: Any) -> requests.Response:
        return self.request("GET", page, **kwargs)

    def post(self, page: str, **kwargs: Any) -> requests.Response:
        return self.request("POST", page, **kwargs)

    def put(self, page: str, **kwargs: Any) -> requests.Response:
        return self.request("PUT", page, **kwargs)


def first_line(passwordfile: str | Path | None) -> str:
    """The password in a file."""
    if passwordfile is None:
        raise RuntimeError("give either password or passwordfile")
    lines = Path(passwordfile).expanduser().read_text().splitlines()
    if not lines or not lines[0].strip():
        raise RuntimeError(f"the first line of {passwordfile} should be the password; it is empty")
    return lines[0].strip()
