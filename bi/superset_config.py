"""Superset's settings; whatever is secret comes from the environment."""

import os

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = (
    f"sqlite:///{os.environ.get('SUPERSET_HOME', '/app/superset_home')}/superset.db?check_same_thread=false"
)
BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "中文"}, "en": {"flag": "us", "name": "English"}}
WTF_CSRF_ENABLED = True
TALISMAN_ENABLED = True
ENABLE_PROXY_FIX = True  # TLS ends at a reverse proxy.
ROW_LIMIT = 10_000
SQLLAB_TIMEOUT = SUPERSET_WEBSERVER_TIMEOUT = 60
# A cached answer would be of another publication than the chart beside it.
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
