"""Auditor of the installation: what should have happened, held against what did; alarms to the last resort."""
