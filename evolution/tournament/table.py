"""A tournament's result as people read it in a terminal."""

from palaestra.evolution.report.words import bounds, share
from palaestra.evolution.tournament.result import SCALE, Result
from palaestra.evolution.tournament.schedule import Schedule
from palaestra.evolution.tournament.standings import Cell
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["facts", "milliseconds", "print_result"]

# Wider tables fold in a terminal; the page and the JSON hold them whole.
_WIDEST_CROSS_TABLE = 8


def print_result(console: Console, result: Result) -> None:
    """Print ratings, cross table and what else there is to say."""
    console.print()
    console.print(_ratings(result))
    if len(result.standings) <= _WIDEST_CROSS_TABLE:
        console.print(_cross_table(result))
    lines = facts(result)
    room = max(len(label) for label, _ in lines) + 2
    for label, words in lines:
        console.print(Text.assemble((label.ljust(room), "dim"), words), soft_wrap=True)


def facts(result: Result) -> list[tuple[str, str]]:
    """Return what there is to say beside the tables: labels and sentences."""
    plan, found = result.played.plan, result.intransitivity
    names = [standing.player for standing in result.standings]
    games = f"{len(result.played.games):,}, {plan.games_per_table:,} a pairing"
    if plan.games_per_table != plan.games:
        games += f" ({plan.games:,} asked for: everybody sits in every seat equally often)"
    lines = [("games", games)]
    if len(result.played.rounds) > 1 or plan.schedule is not Schedule.ROUND_ROBIN:
        lines.append(("rounds", str(len(result.played.rounds))))
    if result.champion is not None:
        lines.append(("champion", result.champion))
    if result.invalid:
        crashed = [f"{s.player} {s.crashes:,}" for s in result.standings if s.crashes]
        lines.append(("invalid", f"{result.invalid:,} count for nobody; to blame: {', '.join(crashed) or 'no player'}"))
    seats = [
        f"{seat}: {worth.value:+.0f} ({worth.low:+.0f} to {worth.high:+.0f})"
        for seat, worth in enumerate(result.ratings.seats)
    ]
    lines.append(("seats", f"worth in points, {', '.join(seats)}"))
    lines.append(
        ("order", f"{share(found.share)} of the payoffs' variation is cyclic; by chance up to {share(found.by_chance)}")
    )
    if found.cycles:
        best = found.cycles[0]
        circle = " > ".join(names[i] for i in (*best.players, best.players[0]))
        lines.append(
            (
                "cycles",
                f"{found.count:,}; the strongest, by {best.strength:.2f}{'' if best.sure else ' (may be chance)'}: "
                f"{circle}",
            )
        )
    if found.nash:
        weights = sorted(((w, i) for i, w in enumerate(found.nash) if w >= 0.005), reverse=True)[:8]
        lines.append(("Nash", ", ".join(f"{names[i]} {share(w)}" for w, i in weights)))
    lines.append(("ratings", f"{SCALE}; skill is openskill's"))
    return lines


def milliseconds(seconds: float) -> str:
    """Return a time in milliseconds as people read it, without the unit."""
    time = 1000 * seconds
    return "<0.1" if time < 0.1 else f"{time:.1f}" if time < 10 else f"{time:,.0f}"


def _ratings(result: Result) -> Table:
    plan = result.played.plan
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
    table.title = Text(f"{plan.arena} · {plan.schedule} · seed {plan.seed}", "bold not italic")
    costs = any(standing.tokens for standing in result.standings)
    table.add_column("", justify="right")
    table.add_column("player", overflow="fold")
    for name in (
        "rating\n95 %",
        "skill\nsigma",
        "score\n95 %",
        "games\nw–d–l",
        "illegal\ninvalid",
        "ms a\ngame",
    ):
        table.add_column(name + ("\ntokens" if costs and "ms" in name else ""), justify="right", no_wrap=True)
    for place, player in enumerate(result.ranking, 1):
        standing, rating = result.standings[player], result.ratings.players[player]
        skill = result.skills[player]
        total, score, sat = standing.total, standing.total.score, max(1, standing.sat)
        table.add_row(
            str(place),
            Text(standing.player),
            Text.assemble((f"{rating.value:.0f}", "bold"), "\n", (f"{rating.low:.0f}–{rating.high:.0f}", "dim")),
            Text.assemble(f"{skill.mu:.1f}", "\n", (f"{skill.sigma:.1f}", "dim")),
            Text.assemble(share(score.value), "\n", (bounds(score).replace(" to ", "–"), "dim")),
            Text.assemble(f"{total.games:,}", "\n", (f"{total.wins:,}–{total.draws:,}–{total.losses:,}", "dim")),
            Text.assemble(
                (f"{standing.illegal:,}", "red" if standing.illegal else "dim"),
                "\n",
                (f"{standing.invalid:,}", "red" if standing.crashes else "yellow" if standing.invalid else "dim"),
            ),
            milliseconds(standing.thinking_seconds / sat) + (f"\n{standing.tokens / sat:,.0f}" if costs else ""),
        )
    return table


def _cross_table(result: Result) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
    table.title = Text("score of the row against the column, and won–drawn–lost", "dim not italic")
    table.add_column("", justify="right")
    table.add_column("player", overflow="fold")
    for place in range(1, len(result.ranking) + 1):
        table.add_column(str(place), justify="right", no_wrap=True)
    for place, i in enumerate(result.ranking, 1):
        cells = [Text("·", "dim") if i == j else _cell(result.cells[i][j]) for j in result.ranking]
        table.add_row(str(place), Text(result.standings[i].player), *cells)
    return table


def _cell(cell: Cell) -> Text:
    if not cell.games:
        return Text("–", "dim")
    style = "green" if cell.score.low > 0.5 else "red" if cell.score.high < 0.5 else ""
    return Text.assemble(
        (f"{100 * cell.score.value:.0f} %", style), "\n", (f"{cell.wins}–{cell.draws}–{cell.losses}", "dim")
    )
