"""`palaestra bench`: measure policies in environments on held-out tasks."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TextEnv
from palaestra.evolution.benchmark.suite import ALL, refuse_endless
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable, console_for, hush_libraries, usage_json, usage_lines, write
from palaestra.evolution.cli.task_files import SkipBadRows, build_each, skipping
from palaestra.evolution.evaluation.record import Score
from palaestra.evolution.report.words import bounds, share
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from palaestra.agents.episode import Episode
    from palaestra.agents.http.meter import Usage

__all__ = ["MAX_TOKENS", "TEMPERATURE", "bench"]

MAX_TOKENS = 64
"""Most tokens of one reply, where nobody says otherwise."""
TEMPERATURE = 1.0
"""Of sampled attempts, where nobody says otherwise."""


@dataclass(frozen=True)
class Row:
    """One policy in one environment."""

    policy: str
    env: str
    attempts: int
    seed: int
    score: Score

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; accuracies are shares from 0 to 1, `seconds` is wall-clock."""
        score = self.score
        return {
            "policy": self.policy,
            "env": self.env,
            "tasks": score.tasks,
            "attempts": self.attempts,
            "accuracy": score.accuracy.value,
            "low": score.accuracy.low,
            "high": score.accuracy.high,
            "pass_at_k": {
                str(k): {"value": e.value, "low": e.low, "high": e.high} for k, e in sorted(score.pass_at_k.items())
            },
            "mean_reward": score.mean_reward,
            "statuses": dict(score.statuses),
            "invalid": score.invalid,
            "tokens": score.tokens,
            "seconds": score.seconds,
            "seed": self.seed,
        }


def bench(
    context: typer.Context,
    env: Annotated[
        list[str],
        typer.Argument(
            metavar="ENV...",
            help="Environments (`palaestra envs` lists them); or one suite, a TOML file or a name that `palaestra "
            "suites` lists; or results, with --rejudge.",
        ),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="nursery:SKILL, local:PATH-or-id, http:MODEL@ADDRESS, scripted:random; repeatable. A suite may name "
            "its own, which these replace.",
        ),
    ] = None,
    attempts: Annotated[
        int, typer.Option(min=1, help="Sampled attempts a task, for pass@k up to this k; 1 is the greedy one alone.")
    ] = 1,
    tasks: Annotated[
        str, typer.Option(metavar="N", help="Most held-out tasks of each environment; `all` takes every one of a file.")
    ] = "500",
    temperature: Annotated[float, typer.Option(min=0.0, help="Of the sampled attempts.")] = TEMPERATURE,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of one reply.")] = MAX_TOKENS,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the tasks, and names all randomness.")] = 0,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the rows, or a suite's result, as JSON; - is standard output."),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a suite's tables as Markdown.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where a suite's result shall lie.", show_default="a new folder under runs/"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where episodes of suites are kept.", show_default="the user's cache folder"),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Play nothing: look for a suite's tasks in what this run learned from. Exit code 3 says that some are "
            "there; repeatable.",
        ),
    ] = None,
    rejudge: Annotated[
        bool, typer.Option("--rejudge", help="Play nothing: judge the replies of results again, with today's judges.")
    ] = False,
    skip_bad_rows: SkipBadRows = False,
    _config: ConfigFile = None,
) -> None:
    """Measure policies in environments, on tasks that nothing is ever trained on.

    Environments named here: accuracy is that of greedy replies, with a 95 % interval; pass@k comes from sampled
    attempts (unbiased, Chen et al. 2021). A suite: every episode is kept and none is played twice, so that the same
    command goes on after a kill; policies are compared in pairs. Exit code 1 says that a figure is missing.
    """
    check_writable(json)
    if str(markdown) == "-":
        raise UsageError("--markdown - came, expected a file: standard output shows the tables already.")
    check_writable(markdown, "--markdown")
    from palaestra.evolution.cli import bench_suite as suites

    suite = None if rejudge else suites.named(env)
    said = [name for name in _SAID if _was_said(context, name)]
    if rejudge:
        suites.refuse(said, {"json", "out"}, "--rejudge")
        suites.rejudge(env, out, json)
    elif suite is None:
        suites.refuse(said, _OF_ENVIRONMENTS, "environments that are named on the command line")
        if not policy:
            raise UsageError("Who is to be measured? Name at least one policy: --policy nursery:arithmetic.")
        _bench_environments(env, policy, attempts, tasks, temperature, max_tokens, seed, json, skip_bad_rows)
    elif against:
        suites.refuse(said, {"json", "against"}, "--against")
        suites.check(suite, against, json)
    else:
        suites.refuse(said, {"policy", "json", "markdown", "out", "cache"}, "a suite, whose file says it")
        suites.run(suite, policy or [], out, cache, json, markdown)


_OF_ENVIRONMENTS = {"policy", "attempts", "tasks", "temperature", "max_tokens", "seed", "json", "skip_bad_rows"}
_SAID = (*sorted(_OF_ENVIRONMENTS), "markdown", "out", "cache", "against")


def _was_said(context: typer.Context, name: str) -> bool:
    """Whether an option came from the command line or a configuration file."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "DEFAULT_MAP")


def _bench_environments(
    env: list[str],
    policy: list[str],
    attempts: int,
    tasks: str,
    temperature: float,
    max_tokens: int,
    seed: int,
    json: Path | None,
    skip_bad_rows: bool,
) -> None:
    """Give a row for each policy and environment."""
    env = skipping(env, skip_bad_rows)
    most = _most(tasks, dict(zip(env, build_each(env), strict=True)))
    rows: list[Row] = []
    refused: list[str] = []
    broken: list[str] = []
    usages: dict[str, Usage] = {}
    with Console(stderr=True).status("loading") as status:
        # Imported late: a misspelt environment should not wait for torch.
        from palaestra.agents.http.meter import Metered
        from palaestra.agents.policy import Sampling
        from palaestra.agents.rollout import Rollout
        from palaestra.agents.specs import load_agent
        from palaestra.evolution.evaluation.held_out import HeldOut

        hush_libraries()
        sampling = Sampling(max_tokens=max_tokens, temperature=temperature)
        held_out = HeldOut(tasks=most, attempts=attempts, sampling=sampling)
        for name in policy:
            status.update(f"loading {name}")
            agent = load_agent(name, sampling=sampling, trainable=False, seed=seed)
            rollout = Rollout(agent)
            for spec in env:
                status.update(f"{name} in {spec}")
                reasons = Counter[str]()
                try:
                    score = held_out.score(rollout, spec, seed, partial(_note, reasons))
                except UsageError as error:  # one that cannot play here costs the others nothing
                    refused.append(f"{name} in {spec}: {error}")
                else:
                    rows.append(Row(name, spec, attempts, seed, score))
                    broken += _broken(name, spec, reasons)
            if isinstance(agent, Metered):
                usages[name] = agent.usage
    write(json, {"rows": [row.as_json() for row in rows]} | usage_json(usages))
    console = console_for(json)
    if rows:
        console.print(_table(rows))
    for line in (*broken, *usage_lines(usages)):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if refused:
        raise UsageError("Not measured: " + " ".join(refused))
    if not all(row.score.statuses for row in rows):
        raise typer.Exit(1)


def _most(tasks: str, worlds: Mapping[str, TextEnv]) -> int:
    """Return how many tasks `--tasks` means, at most."""
    if tasks != ALL:
        if not tasks.isascii() or not tasks.isdecimal() or int(tasks) < 1:
            raise UsageError(f"--tasks {tasks} came, expected a whole number from 1, or {ALL}.")
        return int(tasks)
    for spec, world in worlds.items():
        refuse_endless(spec, world)
    return max(1, *(len(world.tasks) for world in worlds.values()))


def _note(reasons: Counter[str], episode: "Episode") -> None:
    """Count why an episode does not count."""
    if not episode.valid:
        reasons[episode.verdict.detail] += 1


def _broken(policy: str, env: str, reasons: Counter[str]) -> list[str]:
    """Return a line that says why episodes do not count, if some do not: the most frequent reason."""
    if not reasons:
        return []
    (reason, count), *_ = reasons.most_common(1)
    return [f"invalid: {policy} in {env}: {reasons.total():,} episodes count nowhere, {count:,} of them: {reason}"]


def _table(rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("environment\npolicy", overflow="fold")
    for name in ("accuracy\n95 %", "pass@k", "reward\nmean"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("statuses")
    table.add_column("seconds\ntokens/s", justify="right", no_wrap=True)
    for row in rows:
        score = row.score
        counts = sorted(score.statuses.items(), key=lambda item: -item[1])
        invalid = [("invalid", score.invalid)] if score.invalid else []
        table.add_row(
            Text.assemble(row.env, "\n", (row.policy, "dim")),
            Text.assemble(
                (share(score.accuracy.value), "bold"), "\n", (bounds(score.accuracy).replace(" to ", "–"), "dim")
            ),
            "\n".join(f"{k}: {share(e.value)}" for k, e in sorted(score.pass_at_k.items())),
            f"{score.mean_reward:.3f}" if score.statuses else "–",
            "\n".join(f"{count:,} {status}" for status, count in (*counts, *invalid)),
            f"{score.seconds:.1f}\n" + (f"{score.tokens / score.seconds:,.0f}" if score.tokens else ""),
            end_section=True,
        )
    return table
