"""The portal's addresses. Every route names what it needs of its reader (`access.Need`)."""

from yingjian.portal.routes import documents, home, lists, operations, persons, publications, quality, zones

ROUTERS = tuple(module.router for module in (home, lists, persons, zones, quality, publications, operations, documents))
