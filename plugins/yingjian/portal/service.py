"""This module serves the portal's app as the present process."""

from __future__ import annotations

import uvicorn

from yingjian.portal.app import create_app
from yingjian.settings import variables

# A proxy that sends a request over a connection which the server closes at that moment tells the reader of a bad gateway,
# and does not repeat a form. So the server keeps an idle connection longer than docs/examples/Caddyfile does: two minutes.
IDLE_SECONDS = 150


def serve() -> None:
    """Serve the portal until a signal ends it. FORWARDED_ALLOW_IPS names the proxies whose headers are trusted."""
    uvicorn.run(
        create_app(),
        timeout_keep_alive=IDLE_SECONDS,
        host=variables().bind,
        port=variables().portal_port,
        log_level="warning",
        access_log=False,  # Addresses of pages are in no log.
        server_header=False,
    )
