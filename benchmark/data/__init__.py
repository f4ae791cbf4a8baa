"""Where images come from: sources, decoding, patients, splits and checks."""
