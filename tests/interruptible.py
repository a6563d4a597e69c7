"""Palaestra in a process of its own that Ctrl-C reaches, wherever the tests were started from."""

import sys

# A shell without job control starts background jobs with Ctrl-C ignored; their children inherit that, and Python then
# leaves it so.
_COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from palaestra.evolution.cli import main; main()"
)
INTERRUPTIBLE = [sys.executable, "-c", _COMMAND]
