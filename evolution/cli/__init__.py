"""The `palaestra` command. Nothing here loads torch before a policy is needed."""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 something failed, 2 what was asked cannot be done, 130 interrupted.

    Args:
        arguments: Words after the program's name; None takes those of this process.
    """
    from palaestra.envs.errors import PalaestraError
    from palaestra.evolution.cli.app import app
    from palaestra.evolution.cli.output import complain

    try:
        app(args=None if arguments is None else list(arguments), prog_name="palaestra")
    except PalaestraError as error:
        sys.exit(complain(error))
    except KeyboardInterrupt:
        sys.exit(130)
