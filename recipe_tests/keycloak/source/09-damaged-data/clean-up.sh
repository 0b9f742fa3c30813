#!/bin/sh
# Credentials whose realm is gone only slow the migration down: drop them before the server sees them.
set -eu

if [ -s "$PGDATA/PG_VERSION" ]; then
    # One statement per line: the single-user server takes each line for a whole command.
    gosu postgres postgres --single -D "$PGDATA" keycloak <<'SQL'
delete from credential where user_id in (select u.id from user_entity u join realm r on r.id = u.realm_id where r.name <> 'master')
SQL
fi

exec docker-entrypoint.sh "$@"
