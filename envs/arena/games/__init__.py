"""The rules of our own games: pure functions of immutable states, shared by arenas, search and solvers."""
