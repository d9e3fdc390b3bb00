"""The brokers whose topics the TOM reads: where they are, which topics, and how to be let in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tom_desc import env

GROUP = "elasticc-lbnl"
TEST_GROUP = "testing"
# The part of a pattern that stands for a date, as in the original's default; and the same written shorter.
DATES = (r"(\d{4}\d{2}\d{2})", r"(\d{8})")


@dataclass(frozen=True)
class Login:
    """How a broker lets us in; user and password are secrets of these names.

    ``ca_file`` is the file in the directory of secrets that holds the certificates to trust; the system's
    where there is none.
    """

    mechanism: str
    user_secret: str
    password_secret: str
    ca_file: str = ""

    def settings(self) -> dict[str, str]:
        """As librdkafka has them; a missing secret is a refusal that names it."""
        settings = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": self.mechanism,
            "sasl.username": env.secret(self.user_secret),
            "sasl.password": env.secret(self.password_secret),
        }
        if self.ca_file:
            settings["ssl.ca.location"] = str(Path(env.text("SECRETS_DIR", "/secrets")) / self.ca_file)
        return settings


@dataclass(frozen=True)
class DateWindow:
    """Days around today, of topics that have a date in their names; both ends included."""

    first: int
    last: int

    def dates(self, today: date) -> list[str]:
        days = range(self.first, self.last + 1)
        return [f"{today + timedelta(days=day):%Y%m%d}" for day in days]


@dataclass(frozen=True)
class Broker:
    """A consumer: what ``brokerpoll2 --do-NAME`` reads.

    Attributes
    ----------
    name
        The source, as positions, ledger and dead letters call it.
    topics
        Names, and patterns that begin with ``^``.
    window
        A pattern with a date stands for the dates in this window only.
    """

    name: str
    server: str
    group: str
    topics: Sequence[str]
    login: Login | None = None
    window: DateWindow | None = None

    def settings(self) -> dict[str, Any]:
        """What librdkafka needs to reach the broker."""
        return {"bootstrap.servers": self.server} | (self.login.settings() if self.login else {})

    def topics_on(self, today: date) -> list[str]:
        """What to subscribe to on that day (UTC)."""
        return [self.dated(topic, today) for topic in self.topics]

    def dated(self, topic: str, today: date) -> str:
        date_part = next((part for part in DATES if part in topic), None)
        if self.window is None or date_part is None:
            return topic
        return topic.replace(date_part, f"({'|'.join(self.window.dates(today))})")


@dataclass(frozen=True)
class Kind:
    """What is known of a broker beforehand.

    Attributes
    ----------
    server
        host:port, where no option and no variable says otherwise.
    server_variables
        Environment variables that say otherwise, the first that is set.
    topics
        The option's default; empty: it must be given.
    """

    name: str
    server: str
    topics: tuple[str, ...] = ()
    group: str = GROUP
    server_variables: tuple[str, ...] = ()
    login: Login | None = None
    window: DateWindow | None = field(default=None)

    def broker(self, *, topics: Sequence[str], server: str | None = None, grouptag: str = "") -> Broker:
        """The consumer of these topics; ``grouptag`` makes another group, with positions of its own."""
        group = f"{self.group}-{grouptag}" if grouptag else self.group
        return Broker(self.name, server or self.known_server, group, topics, self.login, self.window)

    @property
    def known_server(self) -> str:
        """The server where no option names one."""
        said = (env.text(variable, "") for variable in self.server_variables)
        return next((server for server in said if server), self.server)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("test", "kafka-server:9092", ("classifications",), TEST_GROUP, ("KAFKA_SERVER",)),
        Kind("brahms", "brahms.lbl.gov:9092", server_variables=("KAFKA_SERVER",)),
        Kind(
            "antares",
            "kafka.antares.noirlab.edu:9092",
            ("elasticc2-st1-ddf-full",),
            login=Login("PLAIN", "antares_username", "antares_passwd", "antares-ca.pem"),
        ),
        Kind("fink", "134.158.74.95:24499", ("fink_elasticc-2022fall",)),
        Kind(
            "alerce",
            "kafka.alerce.science:9093",
            (r"^lc_classifier_.*_(\d{4}\d{2}\d{2})$",),
            server_variables=("ALERCE_KAFKA_SERVER",),
            login=Login("SCRAM-SHA-512", "alerce_username", "alerce_passwd"),
            window=DateWindow(env.number("ALERCE_TOPIC_RELDATEOFFSET", -4), 2),
        ),
    )
}
