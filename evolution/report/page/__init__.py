"""A page that needs nothing from elsewhere: one HTML file that works in the dark, on a phone, by keyboard and on paper.

`page` puts together what any of our pages is made of: the ground that all share (`base.css`, `base.js`), a body, data
as JSON, and scripts. Scripts and styles are files beside this one, or beside whoever has its own; nothing is built.

In a script `P.data(name)` returns a section of the data, parsed when it is first asked for, and `P.el` and `P.svg` make
elements whose texts are texts, whatever they hold.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from palaestra.envs.task import Json
from palaestra.evolution.durable import dump_json

__all__ = ["asset", "compact_json", "page", "policy"]

_HERE = Path(__file__).parent
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def asset(name: str) -> str:
    """Return the text of a style or script beside this file."""
    return (_HERE / name).read_text(encoding="utf-8")


def compact_json(value: Json) -> str:
    """Write JSON on one line without spaces; non-finite floats become null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return compact_json(json.loads(dump_json(value)))
    # What a model said may hold halves of characters, which UTF-8 cannot.
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def page(
    title: str,
    body: str,
    data: Mapping[str, str],
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    *,
    live: bool = False,
) -> str:
    """Return a page as HTML.

    Args:
        title: Plain text.
        body: HTML of what stands within `<main>`; whoever writes it escapes what others said.
        data: Sections by name, each one JSON text; `P.data(name)` reads it.
        scripts: Texts of scripts, run in order after `base.js`.
        styles: Texts of styles, after `base.css`.
        live: Whether the page may ask the server that it came from.

    Raises:
        ValueError: If a section has a name that is not made of letters, digits, `.`, `_` and `-`.
    """
    if odd := [name for name in data if not _NAME.fullmatch(name)]:
        raise ValueError(f"A section's name is made of letters, digits, '.', '_' and '-', got {odd[0]!r}.")
    scripts = [asset("base.js"), *scripts]
    sections = "\n".join(
        f'<script type="application/json" id="data-{name}">{_inert(text)}</script>' for name, text in data.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy(scripts, live=live)}">
<title>{escape(title)}</title>
<style>{"".join([asset("base.css"), *styles])}</style>
</head>
<body>
<main>
{body}
</main>
<noscript><p class="noscript">This page is drawn by its script: allow JavaScript.</p></noscript>
{sections}
{"".join(f"<script>{script}</script>" for script in scripts)}
</body>
</html>
"""


def policy(scripts: Sequence[str], *, live: bool = False) -> str:
    """Return a content security policy: nothing is loaded, and no script runs but these, whatever an episode holds."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    asks = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; connect-src {asks}; "
        "base-uri 'none'; form-action 'none'"
    )


def _inert(text: str) -> str:
    """Write what a `<` could begin in a page as JSON can also write it."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
