"""Cards that average the scores of other cards."""
