"""Graphs in words: questions whose answers are certificates, judged with networkx."""
