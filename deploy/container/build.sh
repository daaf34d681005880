#!/usr/bin/env bash
# Build the image from the files in target/image/files, with docker or buildah, and no registry: build.sh VERSION
# It ends up in target/image/vigie.tar, which `docker load` and `podman load` take.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$1
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
archive=target/image/vigie.tar
build=(--build-arg FILES=local --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
    --file deploy/container/Dockerfile --tag "vigie:$version" target/image/files)

rm -f "$archive"
if docker info >/dev/null 2>&1; then
    docker build "${build[@]}"
    docker save --output "$archive" "vigie:$version"
else
    deploy/parts.sh buildah
    # A store of its own, so that nothing is left in that of the machine.
    store=$(mktemp -d)
    trap 'rm -rf "$store"' EXIT
    buildah=(buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs)
    # The format of docker: that of OCI has no health check. No command is run, so that no isolation is needed.
    # Files and image are as old as the commit: the same commit makes the same layer.
    "${buildah[@]}" build --timestamp "${SOURCE_DATE_EPOCH:-0}" --format docker --isolation chroot --pull-never --quiet "${build[@]}"
    "${buildah[@]}" push --quiet "localhost/vigie:$version" "docker-archive:$archive:vigie:$version"
fi
