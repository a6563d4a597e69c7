"""Small worlds of several turns."""
