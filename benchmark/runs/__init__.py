"""Runs: protocols, plans, execution in one process per run, and the store of results."""
