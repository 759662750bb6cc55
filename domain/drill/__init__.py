"""Drills, decided purely: the plan, what a second says, gates and guard-rails, the knee, recovery, the verdict."""
