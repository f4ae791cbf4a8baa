"""Claims of reports, as data."""
