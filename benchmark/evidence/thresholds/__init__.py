"""Decision thresholds: rules, choice on validation, intervals, transfer to test."""
