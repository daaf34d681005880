#!/usr/bin/env bash
# Lay out what is in the image: files.sh BINARY NOTICES FOLDER
set -euo pipefail
binary=$1 notices=$2 folder=$3

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
install -D --mode=0644 "$notices" "$folder/usr/share/doc/vigie/THIRD-PARTY-NOTICES.txt"
# An engine mounts these; the root file system is read-only.
mkdir -p "$folder"/{dev,etc/vigie,proc,sys}
