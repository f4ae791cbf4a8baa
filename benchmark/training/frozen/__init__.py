"""Frozen layers: computed once, by the fastest method of the machine, and cached."""
