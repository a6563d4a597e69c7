"""One page about a tournament: it needs no network, works in the dark, on a phone and by keyboard."""

import re
from collections.abc import Callable
from html import escape
from math import isnan
from pathlib import Path
from typing import Any, Final

from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import make_arena
from palaestra.evolution.durable import dump_json, replacing
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.report.words import bounds, share
from palaestra.evolution.tournament.page_parts import SCRIPT, STYLE
from palaestra.evolution.tournament.rating import MEAN
from palaestra.evolution.tournament.replay import Replay, choose, replays
from palaestra.evolution.tournament.result import SCALE, Result
from palaestra.evolution.tournament.standings import Cell
from palaestra.evolution.tournament.table import facts, milliseconds

__all__ = ["render_page", "write_page"]

# A page of more would be slow to open on a phone.
_MOST_GAMES: Final = 300
# Nothing is loaded, whatever a player said.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def write_page(path: Path, result: Result, make: Callable[[str], Arena] = make_arena) -> None:
    """Write the page of a tournament, whole or not at all.

    Args:
        path: The file.
        result: What to show.
        make: Builds the arena of a spec, to play the shown games again.
    """
    shown = replays(choose(result.played.games, _MOST_GAMES), result.played.plan.arena, make)
    with replacing(path) as temporary:
        temporary.write_text(render_page(result, shown), encoding="utf-8")


def render_page(result: Result, shown: list[Replay]) -> str:
    """Return the page as HTML.

    Args:
        result: What to show.
        shown: Games to step through.
    """
    plan = result.played.plan
    about = "".join(f"<dt>{escape(label)}</dt><dd>{escape(words)}</dd>" for label, words in facts(result))
    # What a "<" could begin in a script is written as JSON can also write it.
    data = dump_json(_data(result, shown)).replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " ")
    title = f"{plan.arena} · {plan.schedule}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(plan.arena)}</h1>
<p class="dim">{escape(plan.schedule)} tournament, {len(plan.players)} players, seed {plan.seed}</p>
{_ratings(result)}
{_cross_table(result)}
{_seats(result)}
{_rounds(result)}
<h2>What else there is to say</h2>
<dl>{about}</dl>
{_GAMES}
</main>
<script type="application/json" id="data">{data}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


_GAMES: Final = """<section id="games" aria-labelledby="games-title">
<h2 id="games-title">Games to replay</h2>
<noscript><p class="warn">Stepping through games needs JavaScript.</p></noscript>
<p class="dim"><span id="count" role="status"></span>. Arrow keys, Home and End step.</p>
<div class="choose">
<label>player <select id="one"></select></label>
<label>against <select id="two"></select></label>
<label>which <select id="spoilt"><option value="">all</option><option value="1">spoilt ones</option>
<option value="0">others</option></select></label>
<label class="game">game <select id="game"></select></label>
</div>
<div class="stage" id="stage" tabindex="-1" hidden>
<div>
<p id="who"></p>
<p id="note" class="warn"></p>
<pre id="picture" aria-live="polite"></pre>
<p id="said" class="dim" aria-live="polite"></p>
<div class="steps">
<button type="button" id="first" aria-label="first">|◀</button>
<button type="button" id="back" aria-label="one back">◀</button>
<input type="range" id="slide" min="0" value="0" aria-label="move">
<button type="button" id="next" aria-label="one on">▶</button>
<button type="button" id="last" aria-label="last">▶|</button>
</div>
</div>
<div><ol id="moves" aria-label="moves"></ol></div>
</div>
</section>"""


def _ratings(result: Result) -> str:
    ratings = result.ratings.players
    low, high = min(rating.low for rating in ratings), max(rating.high for rating in ratings)
    rows = []
    for place, player in enumerate(result.ranking, 1):
        standing, rating = result.standings[player], ratings[player]
        total, score = standing.total, standing.total.score
        costs = escape(f"{milliseconds(standing.thinking_seconds / max(1, standing.sat))} ms")
        if standing.tokens:
            costs += f"<small>{standing.tokens / standing.sat:,.0f} tokens</small>"
        spoilt = f"{standing.illegal:,}<small>{standing.invalid:,}</small>"
        rows.append(
            f'<tr><td>{place}</td><th scope="row" class="name sticky">{_name(standing.player)}</th>'
            f"<td><b>{rating.value:.0f}</b><small>{rating.low:.0f}–{rating.high:.0f}</small></td>"
            f'<td class="bar">{_bar(rating, low, high)}</td>'
            f"<td>{result.skills[player].mu:.1f}<small>{result.skills[player].sigma:.1f}</small></td>"
            f"<td>{share(score.value)}<small>{bounds(score)}</small></td>"
            f"<td>{total.games:,}<small>{total.wins:,}–{total.draws:,}–{total.losses:,}</small></td>"
            f"<td{' class=warn' if standing.illegal or standing.crashes else ''}>{spoilt}</td><td>{costs}</td></tr>"
        )
    head = (
        '<th></th><th class="name sticky">player</th><th>rating</th>'
        f'<th class="bar"><span class="scale"><span>{low:.0f}</span><span>{high:.0f}</span></span></th>'
        "<th>openskill<br>mu, sigma</th><th>score</th><th>games<br>w–d–l</th><th>illegal<br>invalid</th><th>a game</th>"
    )
    return _table("Ratings", f"{SCALE}. Intervals are at 95 %.", head, rows)


def _table(title: str, words: str, head: str, rows: list[str]) -> str:
    # It scrolls sideways by keyboard too, hence the tabindex.
    return (
        f'<h2>{title}</h2>\n<p class="dim">{escape(words)}</p>\n'
        f'<div class="wide" role="region" aria-label="{title}" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _name(name: str) -> str:
    """Escape a player's name, and let it break where a spec has its joints."""
    return re.sub(r"(?<=[:?/=])(?=[^:?/=])", "<wbr>", escape(name))


def _bar(rating: Estimate, low: float, high: float) -> str:
    """Draw an interval on a scale that all rows share."""
    width = max(high - low, 1e-9)
    at, begin, end, mean = (100 * (value - low) / width for value in (rating.value, rating.low, rating.high, MEAN))
    words = f"{rating.value:.0f}, {rating.low:.0f} to {rating.high:.0f}"
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{words}">'
        '<line class="axis" x1="0" y1="5" x2="100" y2="5"/>'
        f'<line class="axis" x1="{mean:.2f}" y1="0" x2="{mean:.2f}" y2="10"/>'
        f'<line class="reach" x1="{begin:.2f}" y1="5" x2="{end:.2f}" y2="5"/>'
        f'<line class="mark" x1="{at:.2f}" y1="1" x2="{at:.2f}" y2="9"/></svg>'
    )


def _cross_table(result: Result) -> str:
    order = result.ranking
    head = "".join(f'<th scope="col">{place}</th>' for place in range(1, len(order) + 1))
    rows = []
    for place, i in enumerate(order, 1):
        cells = "".join("<td>·</td>" if i == j else _cell(result.cells[i][j], i, j) for j in order)
        name = f"{place}. {_name(result.standings[i].player)}"
        rows.append(f'<tr><th scope="row" class="name sticky">{name}</th>{cells}</tr>')
    words = "Score of the row against the column, won–drawn–lost, and the 95 % interval. Press a cell for its games."
    return _table("Who beats whom", words, f'<th class="name sticky">player</th>{head}', rows)


def _cell(cell: Cell, i: int, j: int) -> str:
    if not cell.games:
        return "<td>–</td>"
    strength = min(1.0, abs(2 * cell.score.value - 1)) * 0.45
    colour = "good" if cell.score.value > 0.5 else "bad"
    return (
        f'<td class="cell" style="background: rgb(var(--{colour}) / {strength:.2f})">'
        f'<button type="button" data-pair="{i} {j}">{100 * cell.score.value:.0f} %'
        f"<small>{cell.wins:,}–{cell.draws:,}–{cell.losses:,}</small><small>{bounds(cell.score)}</small></button></td>"
    )


def _seats(result: Result) -> str:
    seats = result.ratings.seats
    head = "".join(f'<th scope="col">seat {seat}<br>{worth.value:+.0f} points</th>' for seat, worth in enumerate(seats))
    rows = []
    for player in result.ranking:
        standing = result.standings[player]
        cells = "".join(
            f"<td>{share(one.score.value)}<small>{one.wins:,}–{one.draws:,}–{one.losses:,}</small>"
            f"<small>{'–' if isnan(one.mean_return) else f'{one.mean_return:+.3g}'} a game</small></td>"
            for one in standing.by_seat
        )
        rows.append(f'<tr><th scope="row" class="name sticky">{_name(standing.player)}</th>{cells}</tr>')
    words = "What each player did in each seat: score, won–drawn–lost, and what it got in the units of the arena."
    return _table("Seat by seat", words, f'<th class="name sticky">player</th>{head}', rows)


def _rounds(result: Result) -> str:
    if len(result.played.rounds) < 2:
        return ""
    names = [standing.player for standing in result.standings]
    rows = []
    for round_, tallies in result.played.rounds:
        byes = "".join(f"<small>{_name(names[player])} sits out</small>" for player in round_.byes)
        for number, tally in enumerate(tallies):
            table = " – ".join(_name(names[player]) for player in tally.table)
            points = " : ".join(f"{points:g}" for points in tally.points)
            first = f"<td>{round_.number}{byes}</td>" if number == 0 else "<td></td>"
            rows.append(f'<tr>{first}<td class="name">{table}</td><td>{points}</td><td>{tally.games:,}</td></tr>')
    head = '<th>round</th><th class="name">table</th><th>points</th><th>games</th>'
    return _table("Rounds", "Points are wins and half the draws of the games that count.", head, rows)


def _data(result: Result, shown: list[Replay]) -> dict[str, Any]:
    names = [standing.player for standing in result.standings]
    games = []
    for one in shown:
        game, note = one.game, ""
        if not game.valid:
            note = f"invalid: {game.detail}"
        elif game.fault is not None:
            note = f"seat {game.fault[0]} lost, {game.fault[1]}: {game.fault[2]}"
        games.append(
            {
                "id": game.id,
                "players": game.players,
                "returns": game.returns,
                "valid": game.valid,
                "note": note,
                "frames": [[frame.seat, frame.said, frame.picture] for frame in one.frames],
            }
        )
    return {"names": names, "games": games, "total": len(result.played.games)}
