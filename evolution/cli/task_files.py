"""Environments that read task files, and the rows in them that are no tasks."""

from collections.abc import Sequence
from typing import Annotated

import typer
from palaestra.envs import catalogue
from palaestra.envs.errors import UsageError
from palaestra.envs.question import FileQuestions
from palaestra.envs.text_env import TextEnv
from rich.console import Console

__all__ = ["SkipBadRows", "build_each", "skipping"]

_FILE_WORLD = "palaestra/Question-v0"
_SHOWN = 3

SkipBadRows = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Leave out rows of task files that are no tasks, and count them.")
]


def skipping(specs: Sequence[str], skip: bool) -> list[str]:
    """Return the specs, with bad rows skipped in those that read a file.

    Raises:
        UsageError: If rows are to be skipped and no environment reads a file.
    """
    if not skip:
        return list(specs)
    reads = [_name(spec) in (_FILE_WORLD.lower(), "question") for spec in specs]
    if not any(reads):
        raise UsageError(f"--skip-bad-rows is for task files, but none of {', '.join(specs)} is a {_FILE_WORLD}.")
    return [f"{spec}&skip_bad_rows=true" if file else spec for spec, file in zip(specs, reads, strict=True)]


def build_each(specs: Sequence[str]) -> list[TextEnv]:
    """Build each environment once, so that what is wrong is said before the minutes begin; report skipped rows."""
    console, built = Console(stderr=True), list[TextEnv]()
    for spec in specs:
        env = catalogue.make(spec)
        built.append(env)
        if isinstance(env, FileQuestions) and env.skipped:
            console.print(f"{spec}: skipped {len(env.skipped)} bad rows, kept {len(env.tasks)}", markup=False)
            for error in env.skipped[:_SHOWN]:
                console.print(f"  {error}", markup=False, highlight=False)
            if len(env.skipped) > _SHOWN:
                console.print(f"  and {len(env.skipped) - _SHOWN} more")
    return built


def _name(spec: str) -> str:
    return spec.partition("?")[0].lower()
