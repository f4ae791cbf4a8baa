"""CNNs trained from scratch."""
