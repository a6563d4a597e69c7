"""What the README says is true today."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_figures_are_those_of_the_kept_results() -> None:
    command = "import sys; sys.path.insert(0, 'benchmarks'); import figures; print(figures.figures())"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() in README, "run python benchmarks/figures.py"


def test_the_figures_of_the_methods_are_those_of_the_kept_results() -> None:
    command = (
        "import sys; sys.path.insert(0, 'benchmarks'); import figures; from pathlib import Path\n"
        "pages = {page.name: page.read_text() for page in Path('docs/methods').glob('*.md')}\n"
        "print([name for name, text in pages.items() if figures.with_miniatures(text) != text])"
    )
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", "run python benchmarks/figures.py"
    assert "<!-- miniature: star -->" in (ROOT / "docs" / "methods" / "star.md").read_text()


def test_the_python_examples_run() -> None:
    judging, playing = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", playing], check=True, capture_output=True, text=True)
    assert "Status.CORRECT" in done.stdout
    done = subprocess.run([sys.executable, "-c", judging], check=True, capture_output=True, text=True)
    assert "reward=0.5" in done.stdout
    assert "test 2 of 2: f(2, 2) should be 4, got 3" in done.stdout


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"\]\(([\w./-]+)\)|`python (benchmarks/\w+\.py)`", README)
    paths = [one or other for one, other in named]
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
