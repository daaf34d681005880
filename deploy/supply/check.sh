#!/usr/bin/env bash
# What may come into the tree (deny.toml), what was withdrawn, and what is known to be vulnerable: check.sh
# The database of advisories is a git repository. Where it cannot be reached, that check is NOT made, which is said and
# does not fail; ADVISORY_DB names a copy to look into instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/target/supply/bin:$PATH
. deploy/checks.sh

cargo-deny --locked check licenses bans sources || failed "something in the tree breaks deny.toml"
passed "licences, bans and sources are those of deny.toml"

# Whether a version was withdrawn is in crates.io's index, which is read anew; no advisory is needed for it.
cargo update --dry-run --quiet || failed "crates.io cannot be asked what it withdrew"
mkdir -p target/supply/no-advisories/crates
said=$(cargo-audit audit --no-fetch --stale --db target/supply/no-advisories --deny yanked 2>&1) ||
    failed "a dependency was withdrawn"$'\n'"$said"
lacks "$said" "couldn't check"
passed "crates.io has withdrawn none of the dependencies"

if [ -n "${ADVISORY_DB:-}" ]; then
    cargo-audit audit --no-fetch --stale --db "$ADVISORY_DB" --deny unsound ||
        failed "an advisory of $ADVISORY_DB is about a dependency"
    passed "no advisory of $ADVISORY_DB is about a dependency"
elif said=$(timeout 120 cargo-deny --locked fetch db 2>&1); then
    cargo-deny --locked check --disable-fetch advisories || failed "an advisory is about a dependency"
    cargo-audit audit --deny unsound || failed "an advisory is about a dependency"
    passed "no advisory is about a dependency"
else
    echo "$said" >&2
    echo "ADVISORIES: NOT CHECKED. The database cannot be reached from here; run \`make deny\` where it can be." >&2
fi
summary
