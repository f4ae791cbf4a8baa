"""What an experiment can find out before anything is trained: simulated scores, power and sample sizes."""
