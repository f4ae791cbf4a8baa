"""Where runs are computed: one module per engine, behind the seam of `benchmark.runs.execution.engines.engine`."""
