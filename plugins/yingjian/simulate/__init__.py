"""A made-up town, as the exports that its subdistrict office would receive. All people are invented."""

from yingjian.simulate.town import write_landing

__all__ = ["write_landing"]
