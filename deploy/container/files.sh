#!/usr/bin/env bash
# Lay out what is in the image: files.sh BINARY FOLDER
set -euo pipefail
binary=$1 folder=$2

# Debian's name for the bundle, and where rustls looks for it in the image too.
bundle=/etc/ssl/certs/ca-certificates.crt
[ -s "$bundle" ] || {
    echo "the image needs certificates to trust, and there is no $bundle: install the package ca-certificates." >&2
    exit 1
}
rm -rf "$folder"
install -D --mode=0755 "$binary" "$folder/vigie"
install -D --mode=0644 "$bundle" "$folder$bundle"
install -D --mode=0644 LICENSE "$folder/usr/share/doc/vigie/LICENSE"
# An engine mounts these; the root file system is read-only.
mkdir -p "$folder"/{dev,etc/vigie,proc,sys}
