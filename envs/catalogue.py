"""Ids of environments, resolved lazily, and their registration with Gymnasium."""

from palaestra.envs.text_env import TextEnv

__all__ = ["make", "register_all"]


def make(spec: str) -> TextEnv:
    """Build the environment that a spec names."""
    raise KeyError(spec)


def register_all() -> None:
    """Register every id with Gymnasium."""
