"""Which server, which model, and how it is asked: what stands behind `http:` in a spec.

A key never stands in a spec, because specs are written to runs, logs and tables. It is read from the environment.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["FORM", "Endpoint", "parse_endpoint"]

FORM: Final = "http:MODEL@http://127.0.0.1:8000/v1[?option=value&option=value]"
USUAL_KEY: Final = "OPENAI_API_KEY"

_NAME_OF_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Only what looks like a misspelt option is repeated in an error: anything else may be a key.
_LIKE_AN_OPTION = re.compile(r"[a-z_]{1,20}")
_SECRET_WORDS = ("api", "auth", "bearer", "key", "pass", "pwd", "secret", "token")


@dataclass(frozen=True)
class Endpoint:
    """A model on a server.

    Attributes:
        model: Its name there.
        url: Address up to and without `/chat/completions`.
        key: Name of the environment variable that holds the key; empty for `OPENAI_API_KEY` where that is set, which
            is sent over https or to this machine only.
        concurrency: Most requests under way at a time.
        retries: Further tries of a request that failed for a passing reason.
        connect: Longest time of connecting, in seconds.
        timeout: Longest time of one whole answer, in seconds; also how long a request lets itself be put off by 429.
        server_sampling: Whether temperature, top-p, top-k and seed are left to the server.
        price_in: Price of a million prompt tokens; None where it is not known.
        price_out: Price of a million completion tokens, in the same unit.
        budget: What may be spent, in the same unit; None sets no limit.
    """

    model: str
    url: str
    key: str = ""
    concurrency: int = 64
    retries: int = 6
    connect: float = 10.0
    timeout: float = 600.0
    server_sampling: bool = False
    price_in: float | None = None
    price_out: float | None = None
    budget: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        if self.concurrency < 1:
            raise UsageError(f"concurrency must be at least 1, got {self.concurrency}.")
        for name in ("connect", "timeout"):
            if getattr(self, name) <= 0:  # which would set no limit
                raise UsageError(f"{name} must be above 0 seconds, got {getattr(self, name):g}.")
        if (self.price_in is None) != (self.price_out is None):
            raise UsageError("price_in and price_out belong together, each for a million tokens: give both or neither.")
        if self.budget is not None and self.price_in is None:
            raise UsageError("A budget needs prices to count with: give price_in and price_out for a million tokens.")

    def read_key(self) -> str:
        """Return the key, or nothing where the server is to be asked without one.

        Raises:
            UsageError: If the variable that was named is not set, or holds what no key can be.
        """
        address = urlsplit(self.url)
        private = address.scheme == "https" or address.hostname in ("127.0.0.1", "::1", "localhost")
        key = os.environ.get(self.key or USUAL_KEY, "").strip()
        if self.key and not key:
            raise UsageError(f"key={self.key}: the environment has no variable of this name. Set it to the key.")
        if not key.isascii() or not key.isprintable():
            raise UsageError(
                f"{self.key or USUAL_KEY} in the environment is no key: it is more than one line of ASCII."
            )
        return key if self.key or private else ""


def parse_endpoint(name: str, options: Mapping[str, str]) -> Endpoint:
    """Return what a spec names.

    Args:
        name: What stands between `http:` and the question mark.
        options: What stands after it.

    Raises:
        UsageError: If it is no model at an address, an option is not understood, or it holds a key. What may be a key
            is not repeated in the message.
    """
    found = re.fullmatch(r"(.+)@(https?://.+)", name, re.IGNORECASE)
    if not found:
        raise UsageError(f"An http agent is a model at an address: write {FORM}.")
    url = _checked(found[2].rstrip("/"))
    readers = {
        "key": _variable,
        "concurrency": _whole,
        "retries": _whole,
        "connect": _amount,
        "timeout": _amount,
        "sampling": _sampling,
        "price_in": _amount,
        "price_out": _amount,
        "budget": _amount,
    }
    for option in options:
        if option not in readers:
            if not _LIKE_AN_OPTION.fullmatch(option) or any(word in option for word in _SECRET_WORDS):
                raise UsageError(
                    f"A key does not belong in a spec, which is written to runs and logs. Set {USUAL_KEY} in the "
                    "environment, or name another variable by key=NAME."
                )
            raise UnknownNameError("option of http", option, readers)
    values = {option: readers[option](option, value) for option, value in options.items()}
    if "sampling" in values:
        values["server_sampling"] = values.pop("sampling")
    return Endpoint(model=unquote(found[1]), url=url, **values)  # type: ignore[arg-type]  # one reader a field


def _checked(url: str) -> str:
    try:
        address = urlsplit(url)
        host, _ = address.hostname, address.port
    except ValueError:
        host = None
    if not host:
        raise UsageError(f"An http agent needs an address with a host and, if any, a port from 0 to 65535: {FORM}.")
    if "@" in address.netloc:
        raise UsageError(
            "The address holds a user or a password. These do not belong in a spec, which is written to runs and "
            "logs: servers are asked with a key from the environment, named by key=NAME."
        )
    if address.fragment:
        raise UsageError(f"An http agent's address ends before a '#': {FORM}.")
    return url.removesuffix("/chat/completions")


def _variable(option: str, value: str) -> str:
    if not _NAME_OF_VARIABLE.fullmatch(value) or value.startswith(("sk_", "hf_", "gsk_")):
        raise UsageError(
            f"{option} is the name of an environment variable that holds the key, not the key: {option}={USUAL_KEY}."
        )
    return value


def _whole(option: str, value: str) -> int:
    if not value.isascii() or not value.isdecimal():
        raise UsageError(f"The option {option!r} must be a whole number from 0, got {value!r}.")
    return int(value)


def _amount(option: str, value: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = -1.0
    if not 0.0 <= amount < float("inf"):
        raise UsageError(f"The option {option!r} must be a number from 0, got {value!r}.")
    return amount


def _sampling(option: str, value: str) -> bool:
    if value != "server":
        raise UsageError(f"The option {option!r} can only be 'server' (the server's own settings), got {value!r}.")
    return True
