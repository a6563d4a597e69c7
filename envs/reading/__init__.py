"""Long documents: questions whose answer lies in one place of them, or in several."""
