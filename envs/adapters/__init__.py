"""Other people's environments, each in one file, spoken as ours."""
