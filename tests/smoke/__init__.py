"""The built package and the real program."""
