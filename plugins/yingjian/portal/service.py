"""This module serves the portal's app as the present process."""

from __future__ import annotations

import uvicorn

from yingjian.portal.app import create_app
from yingjian.settings import variables

# If the server closes an idle connection just when a proxy reuses it, the reader gets a bad gateway, and a form is not sent
# again. So the server keeps idle connections longer than docs/examples/Caddyfile does, which is two minutes.
IDLE_SECONDS = 150


def serve() -> None:
    """Serve the portal until a signal ends it. FORWARDED_ALLOW_IPS names the proxies whose headers are trusted."""
    uvicorn.run(
        create_app(),
        timeout_keep_alive=IDLE_SECONDS,
        host=variables().bind,
        port=variables().portal_port,
        log_level="warning",
        access_log=False,  # Page addresses must not appear in logs.
        server_header=False,
    )
