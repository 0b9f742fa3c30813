#!/bin/sh
# Swarm hands the client's secret over as a file; Radicale reads it from its configuration only (since 3.7.0).
set -eu

settings=${TMPDIR:-/tmp}/radicale.conf
(umask 077 && : >"$settings")
{
    cat /etc/radicale/config
    echo '[auth]'
    echo 'type = oauth2'
    echo "oauth2_token_endpoint = $OAUTH2_TOKEN_ENDPOINT"
    echo "oauth2_client_id = $OAUTH2_CLIENT_ID"
    printf 'oauth2_client_secret = '
    cat /run/secrets/oauth2_client_secret
    echo
} >"$settings"

# People who left have no current entries: an empty-looking collection can go.
if [ -d /var/lib/radicale/collections ]; then
    find /var/lib/radicale/collections -name '*.ics' -exec grep -q '^DTSTART.*:20[01]' {} \; -delete
fi

exec /app/bin/python /app/bin/radicale "$@" --config "$settings"
