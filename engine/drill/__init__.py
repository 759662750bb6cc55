"""Load drills: preflight, load, fault, recovery, cleanup at the targets, report."""
