"""These modules hold the portal's addresses. Every route names the right that it needs (`access.Need`)."""
