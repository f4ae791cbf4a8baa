"""The harness: where images come from, how models are trained, what the scores say, how runs are kept."""
