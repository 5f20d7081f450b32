"""What the DAGs call: when a day begins, whose turn it is, what its tasks do, who answered, what is told."""
