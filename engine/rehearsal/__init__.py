"""Rehearsal: the real procedure at many times real speed, judged by what its receivers got."""
