"""The portal's addresses. Every route names what it needs of its reader (`access.Need`)."""
