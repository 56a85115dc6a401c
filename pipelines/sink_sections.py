"""The sections `delivery:` and `notices:` of the configuration: where nightly scores and notices about the night go.

What is secret may stand in an environment variable that the configuration names, so that no password lies in the file;
what stands in the file is never printed.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pipelines.errors import Refused
from pipelines.sections import Strict

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What PostgreSQL takes without quotes; it cuts names at 63 bytes.
PLAIN_NAME = r"^[a-z_][a-z0-9_]{0,62}$"


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is no name of an environment variable; write one like SCORES_DSN")
    if name.upper().startswith("FORETIDE_"):
        raise ValueError("must not begin with FORETIDE_, for such variables are keys of the configuration")
    return name


Variable = Annotated[str, AfterValidator(_variable)]
Seconds = Annotated[float, Field(gt=0, le=600)]


def from_environment(variable: str) -> str:
    """A secret that the configuration names and does not hold.

    Raises:
        Refused: the variable is not set.
    """
    value = os.environ.get(variable, "")
    if not value:
        raise Refused(f"The environment variable `{variable}`, which the configuration names, is not set.")
    return value


class Postgres(Strict):
    """A PostgreSQL database that every night's scores go to (docs/sinks.md).

    `dsn` is a connection string as libpq takes it, TLS and all; `dsn_from` names an environment variable that holds it. Tables
    and views lie in the schema `schema`; `reader_role` may read the views and nothing else. Of what it lacks, at most
    `nights_at_once` nights are brought to it by one night.
    """

    dsn: SecretStr | None = None
    dsn_from: Variable | None = None
    in_schema: str = Field("foretide", alias="schema", pattern=PLAIN_NAME)
    reader_role: str = Field("foretide_reader", pattern=PLAIN_NAME)
    connect_seconds: int = Field(10, ge=1, le=600)
    statement_seconds: int = Field(300, ge=1, le=3600)
    nights_at_once: int = Field(30, ge=1)

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Postgres":
        if (self.dsn is None) == (self.dsn_from is None):
            raise ValueError("needs either `dsn:` or `dsn_from:`, the name of an environment variable that holds it")
        return self

    def connection_string(self) -> str:
        """Where the database is, secrets and all; never to be printed.

        Raises:
            Refused: the variable that should hold it is not set.
        """
        return self.dsn.get_secret_value() if self.dsn else from_environment(self.dsn_from or "")


class Delivery(Strict):
    """Where nightly scores go, and how. Of so many past nights late data make another delivery, which supersedes."""

    folder: Path = Path(".state/deliveries")
    formats: tuple[Literal["parquet", "csv", "fhir"], ...] = ("parquet", "csv", "fhir")
    late_nights: int = Field(7, ge=0, le=60)
    postgres: Postgres | None = None

    @model_validator(mode="after")
    def _sinks_have_rows(self) -> "Delivery":
        if self.postgres is not None and "parquet" not in self.formats:
            raise ValueError("`postgres:` is filled from Parquet; put `parquet` among `formats:`")
        return self


class Webhook(Strict):
    """An address that notices are posted to as JSON; a redirect is not followed, for it could carry the token elsewhere.

    `url_from` and `token_from` name environment variables that hold the address and a bearer token.
    """

    url: SecretStr | None = None
    url_from: Variable | None = None
    token_from: Variable | None = None
    timeout_seconds: Seconds = 10

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Webhook":
        if (self.url is None) == (self.url_from is None):
            raise ValueError("needs either `url:` or `url_from:`, the name of an environment variable that holds it")
        if self.url is not None and (wrong := address_fault(self.url.get_secret_value(), self.token_from is not None)):
            raise ValueError(f"`url:` {wrong}")
        return self

    def address(self) -> str:
        """Where notices go; never to be printed, for such an address is often a secret itself.

        Raises:
            Refused: the variable that should hold it is not set, or holds no such address.
        """
        if self.url is not None:
            return self.url.get_secret_value()
        found = from_environment(self.url_from or "")
        if wrong := address_fault(found, self.token_from is not None):
            raise Refused(f"The environment variable `{self.url_from}` {wrong}.")
        return found


def address_fault(url: str, has_token: bool) -> str:
    """What is wrong with a webhook's address, in words that do not repeat it; empty if nothing is."""
    try:
        parts = urlsplit(url)
        host, is_sound = parts.hostname, parts.port != 0
    except ValueError:
        return "is no address; write one like https://example.org/hook"
    if parts.scheme not in ("http", "https") or not host or not is_sound:
        return "must begin with https:// or http:// and name a host"
    if parts.username or parts.password:
        return "must hold no user and password; name a variable with a bearer token under `token_from:`"
    if has_token and parts.scheme == "http" and host not in LOOPBACK:
        return "must begin with https://, for a token goes with it"
    return ""


class Smtp(Strict):
    """A mail server that notices are handed to; `password_from` names an environment variable that holds the password.

    `security` is how the connection is kept from listeners: `starttls` (refused where the server has none), `tls` from the
    start, or `none`, without a password.
    """

    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = Field(alias="from", pattern=r"^[^\s@]+@[^\s@]+$")
    to: tuple[Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")], ...] = Field(min_length=1)
    username: str = ""
    password_from: Variable | None = None
    timeout_seconds: Seconds = 10

    @model_validator(mode="after")
    def _password_is_kept(self) -> "Smtp":
        if bool(self.username) != (self.password_from is not None):
            raise ValueError("`username:` and `password_from:` go together")
        if self.username and self.security == "none" and self.host not in LOOPBACK:
            raise ValueError("`security: none` would send the password in clear; write `starttls` or `tls`")
        return self


class Notices(Strict):
    """Whom to tell how the night went, by counts only: a file under the state, a webhook, a mail server (docs/sinks.md)."""

    file: bool = True
    webhook: Webhook | None = None
    smtp: Smtp | None = None
