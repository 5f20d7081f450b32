"""This package runs a home: services, backups, migration, status and command lines."""
