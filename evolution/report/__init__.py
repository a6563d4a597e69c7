"""What a person sees of a run: the live view, the ending table, the learning curve."""
