"""This package holds the code behind the DAGs: timetable, build lock, tasks, questions to officials, and notices."""
