"""How verbs print reports, tables, progress and files."""
