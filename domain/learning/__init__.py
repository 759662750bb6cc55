"""Learning from what happened: suggestions in groups, the product meeting, problems that come again. Pure."""
