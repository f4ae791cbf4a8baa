"""Where runs are computed: one module per engine, with the interface of `benchmark.runs.execution.engines.engine`."""
