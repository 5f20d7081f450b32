"""A draft of an edition is built beside what is published, and the difference is shown."""
