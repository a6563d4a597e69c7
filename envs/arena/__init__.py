"""Games and dialogues between agents, as PettingZoo environments whose observations and actions are text."""
