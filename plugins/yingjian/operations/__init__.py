"""This package runs the home: its services, backups, migration, status and command lines."""
