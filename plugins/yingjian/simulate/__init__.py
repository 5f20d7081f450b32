"""This package simulates a town or city, as the exports that its office would receive. All people are invented."""

from yingjian.simulate.town import LandingSize, write_landing

__all__ = ["LandingSize", "write_landing"]
