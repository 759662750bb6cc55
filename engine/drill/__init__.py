"""Conducting a drill: preflight, load, fault, recovery, what was made removed, report."""
