"""Reviews: which period is due, what its figures say, whether a change was for the better. Pure."""
