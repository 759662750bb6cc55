"""Tiered warnings: rules on figures, and where each stands. Pure."""
