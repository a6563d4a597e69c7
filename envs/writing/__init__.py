"""Tasks that are written by those who act: how a world's tasks are put in words, asked for, and read back."""
