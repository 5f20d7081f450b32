FROM python:3.11.14-slim-bookworm
WORKDIR /opt/yingjian
# The user that owns the home's volume and accesses the mounted folders. docker compose build takes both IDs from .env.
ARG YINGJIAN_UID=1000
ARG YINGJIAN_GID=1000
RUN pip install --no-cache-dir uv==0.13.9 \
    && groupadd --gid $YINGJIAN_GID yingjian \
    && useradd --uid $YINGJIAN_UID --gid yingjian --home-dir /var/lib/yingjian --create-home yingjian
COPY pyproject.toml uv.lock hatch_build.py README.md LICENSE ./
COPY plugins plugins
# To include OpenLineage: docker compose build --build-arg UV_GROUPS='--group lineage'
ARG UV_GROUPS=
RUN uv sync --frozen --no-dev --group celery $UV_GROUPS --compile-bytecode
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY bi bi
COPY docs docs
# The commit, which every publication records: git describe --always --dirty --abbrev=12
ARG YINGJIAN_VERSION=
ENV PATH=/opt/yingjian/.venv/bin:$PATH YINGJIAN_VERSION=$YINGJIAN_VERSION
USER yingjian
CMD ["yingjian", "up"]
