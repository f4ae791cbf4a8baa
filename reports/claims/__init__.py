"""What was published, as data."""
