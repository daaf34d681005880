#!/usr/bin/env bash
# Lay out what the binary says of itself, for the package: files.sh BINARY FOLDER
set -euo pipefail
binary=$1 folder=$2

rm -rf "$folder"
mkdir -p "$folder/man"
"$binary" man --out "$folder/man"
# Under the names that each shell looks for.
for shell in bash/vigie zsh/_vigie fish/vigie.fish; do
    mkdir -p "$folder/${shell%/*}"
    "$binary" completions "${shell%/*}" >"$folder/$shell"
done
