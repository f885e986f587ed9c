"""One file per kind of destination. None is imported before the configuration asks for it."""
