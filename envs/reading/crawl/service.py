"""What runs XPaths, in a process that can be killed: it imports nothing else of ours.

Pages are parsed as HTML, without network and without entities of their own. XPath is 1.0 with its own functions and no
others, so a program can neither read a file nor reach anything; how long it takes, whoever asks limits.
"""

import re
from copy import deepcopy
from typing import Any

from lxml import etree

_DROPPED = ("script", "style", "noscript", "template", "svg", "iframe")
_KEPT = ("class", "id", "itemprop", "name", "property", "content", "datetime", "title", "type", "href", "alt", "hidden")
_MOST_VALUES, _VALUE_CHARS, _STEPS = 500, 2_000, 60


class _Failed(Exception):  # noqa: N818 (it never leaves this file)
    """Why a program has no result."""


def answer(request: Any) -> Any:
    """Carry out one request; each names its kind in `"do"`.

    - `show`: `{"page", "kept"}` -> `{"html"}`, the page as it is left by the XPaths kept so far.
    - `run`: `{"pages", "programs"}` -> `{"values"}`, for each program and page the values, or why there are none.
    - `step`: `{"page", "kept", "program", "values", "back"}` -> `{"found", "kept"}`: what the program extracts, or why
      nothing; and, if that is not what it should be, which XPaths lead up to a node that holds the values.
    """
    if request["do"] == "run":
        trees = [_tree(page) for page in request["pages"]]
        return {"values": [[_extracted(tree, program) for tree in trees] for program in request["programs"]]}
    root = _tree(request["page"])
    for xpath in request["kept"]:
        root = _pruned(root, xpath)
    if request["do"] == "show":
        return {"html": _written(root)}
    found = _extracted(root, request["program"])
    values = [_packed(value) for value in request["values"]]
    right = isinstance(found, list) and {_packed(value) for value in found} == set(values)
    kept = _stepped_back(root, request["program"], values) if request["back"] and not right and values else []
    return {"found": found, "right": right, "kept": kept}


def _tree(page: str) -> Any:
    parser = etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, encoding="utf-8")
    root = etree.fromstring(page.encode("utf-8", "replace"), parser)
    if root is None:
        root = etree.fromstring(b"<html><body></body></html>", parser)
    for node in [node for node in root.iter() if node.tag in _DROPPED]:
        _drop(node)
    for node in root.iter():
        for name in [name for name in node.attrib if name not in _KEPT]:
            del node.attrib[name]
    return root


def _drop(node: Any) -> None:
    """Take a node away and leave the text behind it."""
    parent, before = node.getparent(), node.getprevious()
    if parent is None:
        return
    if node.tail and before is not None:
        before.tail = (before.tail or "") + node.tail
    elif node.tail:
        parent.text = (parent.text or "") + node.tail
    parent.remove(node)


def _selected(root: Any, xpath: str) -> list[Any]:
    try:
        found = etree.ElementTree(root).xpath(xpath)
    except etree.XPathError as error:
        raise _Failed(f"no XPath that can be run: {error}"[:200]) from None
    return found if isinstance(found, list) else [found]


def _extracted(root: Any, program: list[str]) -> list[str] | str:
    """Return the values that a program extracts, or why there are none."""
    try:
        for xpath in program[:-1]:
            root = _pruned(root, xpath)
        found = _selected(root, program[-1])
        if len(found) > _MOST_VALUES:
            raise _Failed(f"more than {_MOST_VALUES} values")
        values = [_text(one) for one in found]
    except _Failed as failed:
        return str(failed)
    return [value[:_VALUE_CHARS] for value in values if value]


def _text(found: Any) -> str:
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, float):
        return f"{found:.12g}"
    return " ".join((found if isinstance(found, str) else "".join(found.itertext())).split())


def _pruned(root: Any, xpath: str) -> Any:
    """Return the smallest part of a page that holds all that an XPath finds, as a page of its own."""
    node = _ancestor(_selected(root, xpath))
    if node is None:
        raise _Failed("an XPath before the last finds nothing")
    if node is root:
        return root
    alone = deepcopy(node)
    alone.tail = None
    return alone


def _ancestor(found: list[Any]) -> Any:
    """Return the lowest node that holds all that was found; None where nothing was, or what has no place."""
    nodes: list[Any] = [
        one if etree.iselement(one) else getattr(one, "getparent", lambda: None)() for one in found[:_MOST_VALUES]
    ]
    if not nodes or any(node is None for node in nodes):
        return None
    shared = [nodes[0], *nodes[0].iterancestors()]
    for node in nodes[1:]:
        above = {id(one): one for one in (node, *node.iterancestors())}
        shared = [one for one in shared if id(one) in above]
    return shared[0]


def _stepped_back(root: Any, program: list[str], values: list[str]) -> list[str]:
    """Return the XPaths that lead to what holds the values: the last is taken to the parent until it does."""
    try:
        for xpath in program[:-1]:
            root = _pruned(root, xpath)
        xpath, kept = program[-1], list(program[:-1])
        for _ in range(_STEPS):
            node = _ancestor(_selected(root, xpath))
            if node is None:
                return []
            if _holds(node, values):
                # Of a whole page nothing is pruned; and where else it would find less, it would prune too much.
                return kept if node is root or node.tag in ("html", "body") else [*kept, xpath]
            xpath = f"({xpath})/.."
    except _Failed:
        return []
    return []


def _holds(node: Any, values: list[str]) -> bool:
    text = _packed("".join([*node.itertext(), *(v for one in node.iter() for v in one.attrib.values())]))
    return all(value in text for value in values)


def _packed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _written(root: Any) -> str:
    """Return a page without the white space that nobody sees."""
    twin = deepcopy(root)
    for node in twin.iter():
        node.text = " ".join(node.text.split()) if node.text else None
        node.tail = " ".join(node.tail.split()) if node.tail else None
    return str(etree.tostring(twin, encoding="unicode", method="html"))
