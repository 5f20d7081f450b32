"""Running it: the command lines of what it stands on."""
