"""Palaestra: a sparring yard where language-model agents learn in environments.

The tree is one sentence: agents (`palaestra.agents`) play in environments (`palaestra.envs`), and what they
live through is acquired, refined, turned into an update and evaluated (`palaestra.evolution`).
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("palaestra")
except PackageNotFoundError:  # a source tree that was never installed has no metadata to read
    __version__ = "0+unknown"
