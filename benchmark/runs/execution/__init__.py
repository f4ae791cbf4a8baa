"""Execution of runs: one process per run, its limits, messages and failures."""
