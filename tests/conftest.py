"""Settings of every test."""

from hypothesis import settings

# Examples run on shared machines: an example's time says nothing about the code.
settings.register_profile("neuroncensus", deadline=None, print_blob=True)
settings.load_profile("neuroncensus")
