"""`python -m yingjian.cli` is `yingjian`."""

import sys

from yingjian.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
