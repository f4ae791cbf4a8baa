"""What is measured of this machine: its speed, the methods it computes fastest, the batch sizes that fit its memory."""
