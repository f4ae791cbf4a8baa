"""Frozen layers: computed once, by the fastest method of the machine, and stored in the feature bank."""
