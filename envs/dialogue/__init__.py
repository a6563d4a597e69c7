"""Conversations with somebody who wants something: an agent asks and answers, the world is the other party."""
