"""What an import may load: the worlds run without torch, and nothing points up."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Loaded as a package of its own, by relative imports of one another and of nothing else.
ALONE = ROOT / "envs" / "sandbox" / "inside"


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            alone = path.parent == ALONE and node.level == 1
            assert node.level == 0 or alone, f"{path} has a relative import, which hides its direction"
            names.add(node.module or "")
    return names


def test_nothing_points_up() -> None:
    above = {"envs": ("palaestra.agents", "palaestra.evolution", "torch"), "agents": ("palaestra.evolution",)}
    for folder, forbidden in above.items():
        for path in (ROOT / folder).rglob("*.py"):
            assert not [name for name in imported(path) if name.startswith(forbidden)], path


def test_what_runs_beside_programs_imports_nothing_of_ours() -> None:
    for path in ALONE.glob("*.py"):
        known = {"__future__", *sys.stdlib_module_names}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                continue
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {name.partition(".")[0] for name in names} <= known, path


def test_worlds_load_without_torch() -> None:
    code = "import sys, palaestra.envs; print(sorted({'torch', 'transformers', 'trl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
