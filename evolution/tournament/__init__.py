"""Tournaments: who plays whom, games kept as they end, and what they say of the players."""
