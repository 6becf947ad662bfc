"""History, recorded or given, through the same functions in virtual time."""
