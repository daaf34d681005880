#!/usr/bin/env bash
# Build what is committed twice, in other folders and with another CARGO_HOME, and compare the bytes: reproduce.sh
# It takes as long as two release builds (on two cores half an hour), and downloads all dependencies once more.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/checks.sh

# Inside target/, whatever else is there.
work=$PWD/target/reproduce
rm -rf "$work"
first=$work/one/vigie second="$work/the other/and deeper/vigie"
for clone in "$first" "$second"; do
    git clone --quiet --no-hardlinks . "$clone"
done
make --directory "$first" deb image
CARGO_HOME=$work/cargo make --directory "$second" deb image

# The same bytes are promised for these alone.
rustc --version
musl-gcc --version | head -1

cd "$first"
for file in target/*-musl/release/vigie target/sbom/* target/debian/*.deb; do
    sha256sum "$file" "$second/$file"
    cmp "$file" "$second/$file" || failed "$file has other bytes in each"
    passed "$file is the same in both"
done
# A layer is named by its hash. What is around it holds the name of the container that buildah made it in.
layer() { tar --list --file "$1/target/image/vigie.tar" | grep -E '^[0-9a-f]{64}\.tar$'; }
is "the layer of the image" "$(layer "$first")" "$(layer "$second")"
passed "the image's files are the same in both: $(layer "$first")"
summary
