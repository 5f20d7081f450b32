"""The command line: `yingjian COMMAND …`; `yingjian --help` says what there is. One module holds one group of commands."""

from yingjian.cli.app import main

__all__ = ["main"]
