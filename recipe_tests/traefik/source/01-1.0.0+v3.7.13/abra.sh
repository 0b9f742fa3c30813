#!/bin/bash
# Raise a version whenever its file changes: Swarm never changes a config in place.
export CERTIFICATE_VERSION=v1
