#!/bin/bash
# Keycloak takes passwords from its environment only; Swarm hands them over as files.
set -eu

KC_DB_PASSWORD="$(< /run/secrets/db_password)"
KC_BOOTSTRAP_ADMIN_PASSWORD="$(< /run/secrets/admin_password)"
export KC_DB_PASSWORD KC_BOOTSTRAP_ADMIN_PASSWORD

exec /opt/keycloak/bin/kc.sh "$@"
