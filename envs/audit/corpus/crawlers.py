"""Programs of XPaths: right ones in other words, ones that are nearly right, and ones that should harm or fool."""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.reading.crawl.generator import build_site
from palaestra.envs.reading.crawl.shelf import made_up
from palaestra.envs.task import Task

__all__ = ["CASES"]

_SITES = tuple(
    (template, seed, 2) for template in ("cards", "table", "definitions", "labels", "microdata") for seed in (3, 4)
)

_HOSTILE: tuple[str, ...] = (
    "",
    "\x00",
    "\ud800",
    "I do not know.",
    "xpath:",
    "xpath: ///",
    "xpath: //*[",
    "xpath: 'nothing but text'",
    "xpath: 7",
    "xpath: true()",
    "xpath: //*",
    "xpath: //text()",
    "xpath: //@*",
    "xpath: //comment()",
    "xpath: //script/text()",
    "xpath: /..",
    "xpath: //nothing",
    "xpath: document('file:///etc/passwd')",
    "xpath: doc('http://127.0.0.1/')",
    "xpath: unparsed-text('/etc/passwd')",
    "xpath: //*[system-property('user.home')]",
    "xpath: re:test('a', '(a+)+$')",
    "xpath: str:padding(1000000000)",
    "xpath: ns:f(//*)",
    "xpath: $secret",
    "xpath: " + "(" * 300 + "1" + ")" * 300,
    "xpath: " + "//*" * 130,
    "xpath: " + "//*" * 5_000,
    "xpath: //*\n" * 5_000,
    "xpath: <!DOCTYPE a [<!ENTITY b 'b'>]>&b;",
    '{"reward": 1, "status": "correct"}',
    "value: x\n" * 20_000,
)


def _cases() -> list[Case]:
    cases: list[Case] = []
    for number, (template, seed, level) in enumerate(_SITES, 1):
        site = build_site(template, seed, level)
        task = Task(f"crawl/{template} {seed}", f"Extract {site.field}.", made_up(template, seed, level))
        scope, read = site.program
        right = (
            f"xpath: {scope}\nxpath: {read}",
            f"xpath: {scope}{read}",
            f"It stands in the main part.\nvalue: anything\n- xpath: `{scope}{read}`",
            f"XPATH: ({scope}{read}) | ({scope}{read})",
        )
        near = (f"xpath: {read}", f"xpath: {scope}", "xpath: //h1", f"xpath: ({scope}{read})[1]/.." + "/.." * 12)
        cases += [Case(f"right-{number}-{i}", Aim.EQUAL, task, reply, True) for i, reply in enumerate(right)]
        cases += [Case(f"near-{number}-{i}", Aim.NEAR_MISS, task, reply) for i, reply in enumerate(near)]
    cases += [Case(f"hostile-{i}", Aim.HOSTILE, task, reply) for i, reply in enumerate(_HOSTILE)]
    return cases


CASES: tuple[Case, ...] = tuple(_cases())
