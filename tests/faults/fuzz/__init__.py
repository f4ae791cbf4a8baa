"""Mutated files for the loaders: whatever is in a file, a loader answers with data or with an error of a user."""
