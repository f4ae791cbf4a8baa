"""Work on a whole store: merging, pruning, verification."""
