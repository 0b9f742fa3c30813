#!/bin/sh
# What the image of PostgreSQL calls docker-entrypoint.sh: prepares an empty data directory by the same POSTGRES_*
# variables, then becomes the server.
set -eu

# As in the image, options alone are options of the server.
case ${1:-} in
    -*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "docker-entrypoint.sh: the database is empty, and POSTGRES_PASSWORD and its _FILE are too" >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"

    # The image's locale need not exist here, so C; a recipe's POSTGRES_INITDB_ARGS come later and win.
    password_file=$WARMCI_SCRATCH/initdb-password
    (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file")
    # shellcheck disable=SC2086 # several arguments in one variable, as in the image
    "$WARMCI_INSTALL/bin/initdb" --pgdata "$PGDATA" --username "$user" --pwfile "$password_file" \
        --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C ${POSTGRES_INITDB_ARGS:-}
    rm "$password_file"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"

    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "$database" |
            "$WARMCI_INSTALL/bin/postgres" --single -D "$PGDATA" postgres
    fi
fi
unset POSTGRES_PASSWORD

exec "$@"
