# What a container of Superset does: `init` brings its own database to this version and makes the admin, `serve` answers.
set -eu
case "$1" in
init)
    superset db upgrade
    # Whether the admin is there or not: its password is the one of the environment afterwards.
    superset fab create-admin --username admin --firstname admin --lastname admin --email admin@localhost \
        --password "$SUPERSET_ADMIN_PASSWORD"
    superset fab reset-password --username admin --password "$SUPERSET_ADMIN_PASSWORD"
    superset init
    ;;
serve)
    exec gunicorn --bind "${SUPERSET_BIND:-0.0.0.0:8088}" --workers 2 --worker-class gthread --threads 8 --timeout 120 \
        "superset.app:create_app()"
    ;;
esac
