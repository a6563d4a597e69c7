"""The page about one run, or several side by side: one file that anybody can open, send and print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from palaestra.envs.errors import UsageError
from palaestra.envs.task import Json
from palaestra.evolution.durable import replacing
from palaestra.evolution.report.account.account import EPISODE_BYTES, Account
from palaestra.evolution.report.page import asset, compact_json, page

__all__ = ["MOST_RUNS", "accounts_of", "render", "scripts", "sections_of", "write_report"]

MOST_RUNS = 7
"""As many lines as can be told apart in one picture."""

_SCRIPTS = (
    "charts.js",
    "shares.js",
    "episodes.js",
    "overview.js",
    "curves.js",
    "tables.js",
    "rounds.js",
    "lineage.js",
    "contexts.js",
    "told.js",
    "costs.js",
    "dialogue.js",
    "detail.js",
    "reader.js",
    "report.js",
)
_BODY = """<a class="skip" href="#reader">Skip to the episodes</a>
<header class="top"><div id="head"></div><span data-theme-switch></span></header>
<nav id="bar" class="screen-only" aria-label="sections of the page"></nav>
<div id="story"></div>"""


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Write the page about some runs, whole or not at all; the runs are only read.

    Args:
        runs: Their directories.
        out: The file.

    Raises:
        RunError: If one is no run, or damaged.
        UsageError: If there are none, or more than can be told apart.
    """
    accounts = accounts_of(runs)
    text = render(sections_of(accounts), [account.directory.name for account in accounts])
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out


def accounts_of(runs: Sequence[Path]) -> list[Account]:
    """Return the accounts of some runs, which share the room for episodes.

    Raises:
        UsageError: If there are none, or more than can be told apart.
    """
    if not 1 <= len(runs) <= MOST_RUNS:
        raise UsageError(f"A page shows 1 to {MOST_RUNS} runs, got {len(runs)}. Name as many.")
    return [Account(run.resolve(), EPISODE_BYTES // len(runs)) for run in runs]


def sections_of(accounts: Sequence[Account]) -> dict[str, str]:
    """Return the sections of all accounts, under names that say whose they are."""
    return {f"r{n}-{name}": text for n, account in enumerate(accounts) for name, text in account.sections().items()}


def scripts(*, live: bool = False) -> list[str]:
    """Return the texts of the page's scripts after `base.js`, in order."""
    return [asset(name) for name in (*_SCRIPTS, *(["live.js"] if live else []))]


def render(sections: Mapping[str, str], names: Sequence[str], live: Mapping[str, Json] | None = None) -> str:
    """Return the page as HTML.

    Args:
        sections: From `sections_of`.
        names: Names of the runs, in order.
        live: What a page that follows its run must know to ask on, see `serving`; None for a page that stays.
    """
    named = compact_json(_distinct(names))
    data = {"runs": named, **sections} | ({} if live is None else {"live": compact_json(live)})
    title = " · ".join(names)
    return page(title, _BODY, data, scripts(live=live is not None), [asset("report.css")], live=live is not None)


def _distinct(names: Sequence[str]) -> list[str]:
    """Number names that come more than once."""
    return [f"{name} ({names[: n + 1].count(name)})" if names.count(name) > 1 else name for n, name in enumerate(names)]
