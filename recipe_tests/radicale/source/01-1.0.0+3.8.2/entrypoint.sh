#!/bin/sh
# Swarm hands the password over as a file; Radicale wants a file of names and hashes.
set -eu

users=${TMPDIR:-/tmp}/users
(umask 077 && : >"$users")

# The password is 32 random characters, so the hash need not be slow: every request computes it.
/app/bin/python - >"$users" <<'PYTHON'
import os

import bcrypt

with open("/run/secrets/password", "rb") as file:
    password = file.read().strip()
print(os.environ["RADICALE_USER"], bcrypt.hashpw(password, bcrypt.gensalt(5)).decode(), sep=":")
PYTHON

exec /app/bin/python /app/bin/radicale "$@" --auth-htpasswd-filename "$users"
