"""Arenas in which something is said: bargaining, debate, and tasks that one seat sets another."""
