"""The command line `yingjian COMMAND …`; one module holds one group of commands."""

from yingjian.cli.app import main

__all__ = ["main"]
