"""Procedures and rosters as files: read, checked, kept in force; and the catalogue that ships."""
