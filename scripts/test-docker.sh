#!/usr/bin/env bash
# Tests sandbox mode `docker` on a real daemon: not part of `make test`, because it needs dockerd and its images.
# DOCKER_HOST names the daemon, unix:///… only.
set -euo pipefail

cd "$(dirname "$0")/.."
host=${DOCKER_HOST:-unix:///var/run/docker.sock}
case $host in
  unix://*) ;;
  *) echo "test-docker: $host is no local socket" >&2; exit 1 ;;
esac
docker --host "$host" version >/dev/null || { echo "test-docker: no dockerd answers at $host" >&2; exit 1; }
for image in python node; do
  docker --host "$host" image inspect "edgecoder/sandbox-$image:latest" >/dev/null 2>&1 \
    || { echo "test-docker: build the images first: make sandbox-images" >&2; exit 1; }
done
EDGECODER_TEST_DOCKER=$host cargo test --locked -p edgecoder-sandbox \
  --test docker --test docker_hostile --test docker_kills
