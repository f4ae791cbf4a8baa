"""The store: one folder per run."""
