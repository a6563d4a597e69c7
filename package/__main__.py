"""`python -m palaestra` is the command `palaestra`, for launchers that take modules."""

from palaestra.evolution.cli import main

if __name__ == "__main__":
    main()
