#!/bin/sh
# Writes what differs from app to app, then becomes the server. No secret is copied: Synapse reads their files.
set -eu

config=${TMPDIR:-/tmp}/synapse
mkdir -p "$config"

cat >"$config/app.yaml" <<YAML
server_name: "$SYNAPSE_SERVER_NAME"
public_baseurl: "$SYNAPSE_URL"
listeners:
  - type: http
    bind_addresses: ["$SYNAPSE_ADDRESS"]
    port: $SYNAPSE_PORT
    tls: false
    x_forwarded: true
    resources:
      - names: [client]
rc_message: {per_second: $MESSAGES_PER_SECOND, burst_count: $MESSAGES_AT_ONCE}
rc_login:
  address: {per_second: $LOGINS_PER_SECOND, burst_count: $LOGINS_AT_ONCE}
  account: {per_second: $LOGINS_PER_SECOND, burst_count: $LOGINS_AT_ONCE}
YAML

set -- run -c /etc/synapse/homeserver.yaml -c "$config/app.yaml"

if [ -n "${KEYCLOAK_ISSUER:-}" ]; then
    cat >"$config/keycloak.yaml" <<YAML
password_config:
  enabled: false
oidc_providers:
  - idp_id: keycloak
    idp_name: Keycloak
    issuer: "$KEYCLOAK_ISSUER"
    client_id: "$KEYCLOAK_CLIENT_ID"
    client_secret_path: /run/secrets/keycloak_client_secret
    scopes: [openid, profile, email]
    user_mapping_provider:
      config:
        localpart_template: "{{ user.preferred_username }}"
        display_name_template: "{{ user.name }}"
YAML
    set -- "$@" -c "$config/keycloak.yaml"
fi

# The user that the image starts the server as.
chown 991:991 /data

[ -s /data/signing.key ] || /start.py "$@" --generate-keys
# Before the server, which would else be the last to close the database, and take its whole log in each time.
gosu 991:991 python /backup
exec /start.py "$@"
