"""Settings of the property tests in this folder."""

from hypothesis import settings

# A busy machine is no failure of the code under test; what must be quick is measured in processor time.
settings.register_profile("worlds", deadline=None)
settings.load_profile("worlds")
