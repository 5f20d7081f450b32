"""This package holds the code of the DAGs: their timetable, turns to build, tasks, questions to persons, and notices."""
