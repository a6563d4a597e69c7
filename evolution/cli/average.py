"""`palaestra average`: one policy of several checkpoints."""

from pathlib import Path
from typing import Annotated

import typer
from palaestra.envs.errors import UsageError
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import hush_libraries
from rich.console import Console

__all__ = ["average"]


def average(
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY...", help="Two or more: run:RUN@STEP, local:PATH, nursery:SKILL.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the mean is written; it must not exist.")],
    share: Annotated[
        list[float] | None, typer.Option(help="Weight of each policy, in order.", show_default="all alike")
    ] = None,
    _config: ConfigFile = None,
) -> None:
    """Average the weights of checkpoints of one model (a model soup) into a policy of its own, local:FOLDER.

    Adapters are averaged factor by factor, and must stand on the same model.
    """
    if out.exists():
        raise UsageError(f"--out {out} exists; nothing is written over. Name another folder.")
    hush_libraries()
    # Imported late: they load torch.
    from palaestra.agents.local import LocalPolicy
    from palaestra.agents.specs import load_agent
    from palaestra.evolution.durable import replacing
    from palaestra.evolution.updating.averaging import average_into

    loaded = []
    for spec in policies:
        policy = load_agent(spec, trainable=True).policy  # in float32
        if not isinstance(policy, LocalPolicy):
            raise UsageError(f"{spec} has no weights here that could be averaged: name run:, local: or nursery:.")
        policy.name = spec
        loaded.append(policy)
    mean = average_into(loaded, share or ())
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        mean.save(temporary)
    words = f"the mean of {len(loaded)} policies is local:{out}"
    Console().print(words, soft_wrap=True, markup=False, highlight=False)
