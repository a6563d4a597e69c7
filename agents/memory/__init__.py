"""What agents remember: a store of episodes, insights and skills, and what of it is told before a task."""
