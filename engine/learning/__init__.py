"""Learning from what happened: suggestions to the product meeting, what recurs, what was promised. No Prefect."""
