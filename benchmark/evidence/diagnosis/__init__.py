"""Why a run failed or errs: causes, subgroups, saliency, unfamiliar images."""
