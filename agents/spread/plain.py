"""Errors that any process can make again from their words."""

from collections.abc import Iterator
from contextlib import contextmanager

from palaestra.envs.errors import (
    ContractError,
    InfrastructureError,
    PalaestraError,
    RefusedError,
    SynchronisationError,
    UsageError,
)

__all__ = ["plain_errors"]

# The narrower ones first.
_KINDS: tuple[type[PalaestraError], ...] = (
    RefusedError,
    SynchronisationError,
    UsageError,
    ContractError,
    InfrastructureError,
    PalaestraError,
)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Let errors of ours out as the nearest of a few classes that are made from a message alone."""
    try:
        yield
    except PalaestraError as error:
        raise next(kind for kind in _KINDS if isinstance(error, kind))(str(error)) from error
