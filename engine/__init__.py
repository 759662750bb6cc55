"""Engine without Prefect: commands, turns, delivery, guarantor, auditor, supervisor."""
