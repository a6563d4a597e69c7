"""The wheel holds every module of the tree, and what its pages are made of.

A subpackage missing from the list, or a style or script missing from the package data, would vanish without a word.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "package": "palaestra",
    "envs": "palaestra/envs",
    "agents": "palaestra/agents",
    "evolution": "palaestra/evolution",
}


def tree() -> set[str]:
    files = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            ours = path.name == "py.typed" or (path.suffix == ".toml" and path.parent.name == "suites")
            if ours or path.suffix in (".py", ".css", ".js"):
                files.add(f"{package}/{path.relative_to(ROOT / folder).as_posix()}")
    return files


def test_every_folder_with_modules_is_listed_as_a_package() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    needed = {str(Path(name).parent).replace("/", ".") for name in tree()}
    assert listed == needed


@pytest.mark.slow
def test_the_wheel_holds_the_whole_tree(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == tree()
