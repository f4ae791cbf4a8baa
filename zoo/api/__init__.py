"""The Python API: one module per verb, each with its function and its result; `zoo` exports them."""
