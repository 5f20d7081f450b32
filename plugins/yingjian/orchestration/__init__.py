"""What the DAGs call beside the steps of the pipeline: answers of people, notices, the watch, the memory of runs."""
