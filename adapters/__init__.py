"""The outside: one file per system, each behind one small port. No rule of what a change means lives here."""
