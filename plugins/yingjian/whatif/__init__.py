"""This package builds a draft edition of the plan beside the current one, and shows the difference."""
