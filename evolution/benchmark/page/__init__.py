"""The page of a leaderboard, on the ground that all pages share."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from palaestra.evolution.benchmark.comparing import ALPHA
from palaestra.evolution.benchmark.leaderboard import Board, Column, Place, Row
from palaestra.evolution.durable import dump_json, replacing
from palaestra.evolution.report.page import page
from palaestra.evolution.report.words import share, whole_share

__all__ = ["render_board", "write_board"]


def write_board(path: Path, board: Board) -> None:
    """Write a leaderboard's page, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(render_board(board), encoding="utf-8")


def render_board(board: Board) -> str:
    """Return a leaderboard as HTML: one file that needs no network, and is readable without its script."""
    columns = f"{len(board.columns)} environment{'s' * (len(board.columns) > 1)}"
    body = f"""<header class="top"><div>
<h1>Leaderboard</h1>
<p class="dim">{len(board.rows)} policies, {columns}, {len(board.results)} results</p>
</div><div data-theme-switch></div></header>
<p>Accuracy with its 95 % interval over tasks. A rank is a range: from one more than are surely ahead to the number less
those surely behind, by paired tests on the same tasks, corrected after Holm over all pairs of a column, at
{whole_share(ALPHA)}. Policies whose ranges meet are tied.</p>
<p class="dim screen-only" id="order" role="status">Press the head of a column to sort by it, again to turn it.</p>
{_table(board)}
<h2>Environments</h2>
{_environments(board)}
<h2>Results</h2>
{_results(board)}"""
    names = [column.name for column in board.columns]
    parts = (_asset("leaderboard.js"), _asset("leaderboard.css"))
    return page("Leaderboard", body, {"columns": dump_json(names)}, [parts[0]], [parts[1]])


def _asset(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _table(board: Board) -> str:
    several = len(board.columns) > 1
    heads = [_head("rank", "number"), _head("policy", "text", "left name")]
    heads += [_head("all", "number", note="each environment alike")] if several else []
    heads += [_head(column.name, "number", note=_asked(column)) for column in board.columns]
    heads += [_head("tokens out", "number"), _head("seconds", "number"), _head("tokens/s", "number")]
    spent = any(row.spend is not None for row in board.rows)
    heads += [_head("spent", "number")] if spent else []
    rows = "\n".join(_row(board, row, several=several, spent=spent) for row in board.rows)
    # It scrolls sideways by keyboard too, hence the tabindex.
    return f"""<div class="wide card" role="region" aria-label="Leaderboard" tabindex="0"><table id="board">
<thead><tr>{"".join(heads)}</tr></thead>
<tbody>
{rows}
</tbody></table></div>"""


def _head(name: str, kind: str, of: str = "", note: str = "") -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    words = f'<button type="button" data-sort="{kind}">{escape(name)}<span aria-hidden="true"></span></button>{small}'
    return f'<th scope="col" class="{of}">{words}</th>'


def _asked(column: Column) -> str:
    about = column.about
    return f"{about['tasks']} tasks" + (", may be learned from" if about["split"] == "train" else "")


def _row(board: Board, row: Row, *, several: bool, spent: bool) -> str:
    place = row.total if several else row.places.get(board.columns[0].key)
    cells = [_cell(place.ranks, place.best + place.worst / 1e3) if place else _cell("–", None)]
    about = ", ".join(filter(None, (row.spec if row.spec != row.name else "", _sampled(row.sampling))))
    small = f"<small>{_breaking(about)}</small>" if about else ""
    name = f'<th scope="row" class="name" data-value="{escape(row.name)}">{_breaking(row.name)}{small}</th>'
    cells.append(name)
    cells += [_standing(row.total, "not measured everywhere")] if several else []
    cells += [_standing(row.places.get(c.key), row.missing.get(c.key, "not measured")) for c in board.columns]
    said, seconds = row.cost("tokens_out"), row.cost("seconds")
    cells.append(_cell(f"{said:,.0f}" if said else "–", said or None))
    cells.append(_cell(f"{seconds:,.1f}", seconds))
    cells.append(
        _cell(f"{said / seconds:,.0f}" if said and seconds else "–", said / seconds if said and seconds else None)
    )
    cells += [_cell("–" if row.spend is None else f"{row.spend:.4g}", row.spend)] if spent else []
    return f"<tr>{''.join(cells)}</tr>"


def _sampled(sampling: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sampling.items())


def _cell(words: str, value: float | None) -> str:
    return f'<td data-value="{"" if value is None else repr(float(value))}">{escape(words)}</td>'


def _standing(place: Place | None, missing: str) -> str:
    if place is None:
        return f'<td class="missing" data-value=""><small>{escape(missing[:200])}</small></td>'
    found = place.accuracy
    words = f"{100 * found['low']:.1f}–{100 * found['high']:.1f}"
    tied = "rank" if place.best == place.worst else "tied, rank"
    return (
        f'<td data-value="{found["value"]!r}"><b>{share(found["value"])}</b>{_bar(found)}'
        f"<small>{words}</small><small>{tied} {place.ranks}</small></td>"
    )


def _bar(found: Any) -> str:
    """Draw an interval on a scale from 0 to 100 %."""
    at, low, high = (100 * found[key] for key in ("value", "low", "high"))
    words = f"{at:.1f} %, {low:.1f} to {high:.1f}"
    return (
        f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{words}">'
        '<line class="axis" x1="0" y1="5" x2="100" y2="5"/>'
        f'<line class="reach" x1="{low:.2f}" y1="5" x2="{high:.2f}" y2="5"/>'
        f'<line class="mark" x1="{at:.2f}" y1="0.5" x2="{at:.2f}" y2="9.5"/></svg>'
    )


def _breaking(text: str) -> str:
    """Let a name break where a spec has its joints."""
    return escape(text).replace(":", ":<wbr>").replace("/", "/<wbr>").replace("?", "?<wbr>").replace("@", "<wbr>@")


def _environments(board: Board) -> str:
    rows = []
    for column in board.columns:
        about = column.about
        code = about["identity"]["code"]
        facts = (
            f"{about['spec']}, {about['split']}, {about['tasks']} tasks ({about['tasks_digest'][:8]}), "
            f"{about['attempts']} attempts with seeds {', '.join(map(str, about['seeds']))}, judged by "
            f"{code['class']} {code['digest'][:8]}"
        )
        facts += f", sampled with {sampled}" if (sampled := _sampled(about["sampling"])) else ""
        comment = f"<br><span class='dim'>{escape(about['comment'])}</span>" if about["comment"] else ""
        rows.append(f"<dt>{escape(column.name)}</dt><dd>{escape(facts)}{comment}</dd>")
    return f"<dl>{''.join(rows)}</dl>"


def _results(board: Board) -> str:
    rows = []
    for result in board.results:
        about = result.about
        made = f"Palaestra {about['palaestra']}" + (f" at {about['commit']}" if about["commit"] else "")
        machine = about["machine"]
        facts = f"{about['created']}, suite {about['suite']['name']}, {made}, {machine['processor']}"
        facts += ", judged again" if about.get("rejudged") else ""
        facts += "" if about["complete"] else ", not complete"
        rows.append(f"<dt>{escape(result.name)}</dt><dd>{escape(facts)}</dd>")
    older = (
        f'<p class="dim">{board.superseded} older figures of the same policies gave way to newer ones.</p>'
        if board.superseded
        else ""
    )
    return f"<dl>{''.join(rows)}</dl>{older}"
