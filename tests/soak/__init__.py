"""The soak: faults by the dozen on a tiny model, each of which must end in a clear sentence or in the same bytes (`make soak`)."""
