"""Agents that search and solvers of small games: the yardsticks of the arenas, on nothing but a game's `Rules`."""
