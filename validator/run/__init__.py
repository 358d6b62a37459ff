"""A plan made and carried out, cell by cell."""
