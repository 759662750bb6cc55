"""Learning: suggestions for the product meeting, recurring problems, promised actions. No Prefect."""
