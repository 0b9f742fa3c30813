#!/bin/bash
# Raise a version whenever its file changes: Swarm never changes a config in place.
export APP_BACKUP_VERSION=v2
export APP_ENTRYPOINT_VERSION=v3
export APP_HOMESERVER_VERSION=v1
export APP_LOG_VERSION=v1
