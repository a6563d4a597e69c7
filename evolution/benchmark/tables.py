"""A result as tables: the same rows on the terminal and in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from palaestra.evolution.benchmark.result import has_figures
from palaestra.evolution.report.words import share
from rich import box
from rich.table import Table as RichTable
from rich.text import Text

__all__ = ["Table", "markdown", "notes", "on_terminal", "tables"]


class Table(NamedTuple):
    """A table of texts; the first `left` columns are names."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left: int


def tables(about: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a result; those without rows are left out."""
    every = (_scores(about), _overall(about), _costs(about), *_by_tag(about), _comparisons(about))
    return [table for table in every if table.rows]


def notes(about: Mapping[str, Any]) -> list[str]:
    """Return what must be known beside the figures, a line each."""
    lines = []
    for cell in about["cells"]:
        where = f"{cell['policy']} in {cell['env']}"
        if cell.get("refused"):
            lines.append(f"not measured: {where}: {cell['refused']}")
        elif cell["marked"]:
            lines.append(f"no figure: {where}: {cell['marked']}")
        if cell.get("invalid") and (reasons := cell["invalid_reasons"]):
            lines.append(
                f"invalid: {where}: {cell['invalid']:,} episodes count nowhere, {reasons[0]['count']:,} of them: "
                f"{reasons[0]['reason']}"
            )
    trained = [env["name"] for env in about["environments"] if env["split"] == "train"]
    if trained:
        lines.append(f"tasks that may have been learned from (split = train): {', '.join(trained)}")
    return lines


def _estimate(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    return f"{share(found['value'])} ({100 * found['low']:.1f}–{100 * found['high']:.1f})"


def _last(found: Mapping[str, Any] | None, sign: str) -> str:
    """Return the figure at the greatest k, after its k."""
    if not found:
        return ""
    k = max(found, key=int)
    return f"{sign}{k} {_estimate(found[k])}" if int(k) > 1 else ""


def _cells(about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the cells environment by environment."""
    order = {env["name"]: place for place, env in enumerate(about["environments"])}
    return sorted(about["cells"], key=lambda cell: order[cell["env"]])


def _scores(about: Mapping[str, Any]) -> Table:
    head = ("environment", "policy", "accuracy (95 %)", "tried anew", "pass", "majority", "reward", "tasks", "invalid")
    rows: list[tuple[str, ...]] = []
    for cell in _cells(about):
        names = (cell["env"], cell["policy"])
        if not has_figures(cell):
            invalid = f"{cell['invalid']:,}" if "invalid" in cell else ""
            rows.append((*names, "refused" if cell.get("refused") else "marked", "", "", "", "", "", invalid))
            continue
        again = cell["accuracy"]["again"]
        rows.append(
            (
                *names,
                _estimate(cell["accuracy"]),
                f"{100 * again[0]:.1f}–{100 * again[1]:.1f}" if again else "",
                _last(cell["pass_at_k"], "@"),
                _last(cell.get("majority_at_k"), "@"),
                f"{cell['mean_reward']:.3f}",
                f"{cell['tasks']:,}",
                f"{cell['invalid']:,}" if cell["invalid"] else "",
            )
        )
    return Table("Accuracy", head, rows, 2)


def _overall(about: Mapping[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = [
        (row["policy"], _estimate(row["accuracy"]), f"{row['environments']}")
        for row in about["overall"]
        if row["accuracy"] is not None
    ]
    return Table("Over all environments, each counting alike", ("policy", "accuracy (95 %)", "environments"), rows, 1)


def _costs(about: Mapping[str, Any]) -> Table:
    head = ("environment", "policy", "tokens in", "tokens out", "seconds", "tokens/s", "spent", "from the cache")
    rows: list[tuple[str, ...]] = []
    for cell in _cells(about):
        if cost := cell.get("cost"):
            said = cost["tokens_out"]
            rows.append(
                (
                    cell["env"],
                    cell["policy"],
                    f"{cost['tokens_in']:,.0f}" if cost["tokens_in"] else "",
                    f"{said:,.0f}" if said else "",
                    f"{cost['seconds']:.1f}",
                    f"{cost['tokens_per_second']:,.0f}" if said else "",
                    "" if cost["spend"] is None else f"{cost['spend']:.6g}",
                    f"{cost['attempts_found']:,} of {cell['episodes']:,}" if cost["attempts_found"] else "",
                )
            )
    return Table("Cost", head, rows, 2)


def _by_tag(about: Mapping[str, Any]) -> list[Table]:
    """Return a table for each environment and tag."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for cell in _cells(about):
        for tag in cell.get("by", {}):
            found.setdefault((cell["env"], tag), []).append(cell)
    made = []
    for (env, tag), cells in found.items():
        values = list(dict.fromkeys(value for cell in cells for value in cell["by"][tag]))
        rows = [(value, *(_of_tag(cell["by"][tag].get(value)) for cell in cells)) for value in values]
        made.append(Table(f"{env} by {tag}", (tag, *(cell["policy"] for cell in cells)), rows, 1))
    return made


def _of_tag(found: Mapping[str, Any] | None) -> str:
    return f"{_estimate(found)}, {found['tasks']} tasks" if found else "–"


def _comparisons(about: Mapping[str, Any]) -> Table:
    head = ("environment", "policies", "difference (95 %)", "effect (95 %)", "tasks", "p", "corrected", "")
    rows: list[tuple[str, ...]] = []
    for row in about["comparisons"]:
        ahead = row["difference"]["value"] >= 0
        a, b = (row["a"], row["b"]) if ahead else (row["b"], row["a"])
        rows.append(
            (
                row["env"] or "all",
                f"{a} less {b}",
                _signed(row["difference"], ahead, 100, " points"),
                _signed(row["effect"], ahead, 1, "") if row["effect"] else "–",
                f"{row['differing']:,} of {row['tasks']:,} differ",
                _chance(row["p"]),
                _chance(row["p_holm"]),
                "differ" if row["differ"] else "tied",
            )
        )
    return Table(f"Pairs on the same tasks and seeds. {about['correction']}", head, rows, 2)


def _signed(found: Mapping[str, float], ahead: bool, scale: float, unit: str) -> str:
    value, low, high = (scale * found[key] for key in ("value", "low", "high"))
    if not ahead:
        value, low, high = 0.0 - value, 0.0 - high, 0.0 - low
    digits = 1 if unit else 2
    return f"{value:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def on_terminal(table: Table) -> RichTable:
    """Return a table for rich."""
    made = RichTable(
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=Text(table.title), title_justify="left"
    )
    for place, name in enumerate(table.head):
        made.add_column(name, justify="left" if place < table.left else "right", overflow="fold")
    for row in table.rows:
        made.add_row(*map(Text, row))
    return made


def markdown(about: Mapping[str, Any]) -> str:
    """Return a result as Markdown."""
    suite, machine = about["suite"], about["machine"]
    lines = [f"# {suite['name']}", ""]
    if suite["comment"]:
        lines += [_plain(suite["comment"]), ""]
    made = f"{about['created']}, Palaestra {about['palaestra']}" + (f" ({about['commit']})" if about["commit"] else "")
    lines += [f"{made}, {machine['processor'] or machine['platform']}, suite {suite['digest'][:8]}.", ""]
    for line in notes(about):
        lines += [f"- {_plain(line)}"]
    lines += [""] if lines[-1] else []
    for table in tables(about):
        lines += [f"## {_plain(table.title)}", "", _row(table.head)]
        lines += ["|" + "|".join([" --- "] * table.left + [" ---: "] * (len(table.head) - table.left)) + "|"]
        lines += [*map(_row, table.rows), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """Return a text that Markdown takes as it is, on one line."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\|`*_<>[]" else c for c in line)
