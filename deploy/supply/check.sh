#!/usr/bin/env bash
# What may come into the tree (deny.toml), what was withdrawn, and what is known to be vulnerable: check.sh
# Each is asked of what is shipped, and of what is only fuzzed and measured with, which are workspaces of their own.
# The database of advisories is a git repository. Where it cannot be reached, that check is NOT made, which is said and
# does not fail; ADVISORY_DB names a copy to look into instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/target/supply/bin:$PATH
. deploy/checks.sh

workspaces=(. fuzz benches/load benches/peers)
mkdir -p target/supply/no-advisories/crates

# deny WORKSPACE ARGUMENT…: cargo-deny, with deny.toml and what the workspace has besides.
deny() {
    local workspace=$1
    shift
    cat deny.toml >target/supply/deny.toml
    [ "$workspace" = . ] || [ ! -e "$workspace/deny.toml" ] || cat "$workspace/deny.toml" >>target/supply/deny.toml
    cargo-deny --locked --manifest-path "$workspace/Cargo.toml" --config target/supply/deny.toml "$@"
}

# What is shipped needs each licence that is allowed; the others need not.
unmet=--deny
for workspace in "${workspaces[@]}"; do
    cargo metadata --locked --format-version=1 --manifest-path "$workspace/Cargo.toml" >/dev/null ||
        failed "$workspace/Cargo.lock is not what its Cargo.toml asks for: cargo metadata --manifest-path $workspace/Cargo.toml"
    deny "$workspace" check "$unmet" license-not-encountered licenses bans sources ||
        failed "something in the tree of $workspace breaks deny.toml"
    unmet=--allow
done
passed "licences, bans and sources are those of deny.toml: ${workspaces[*]}"

# Whether a version was withdrawn is in crates.io's index, which is read anew; no advisory is needed for it.
for workspace in "${workspaces[@]}"; do
    cargo update --dry-run --quiet --manifest-path "$workspace/Cargo.toml" ||
        failed "crates.io cannot be asked what it withdrew"
    said=$(cargo-audit audit --no-fetch --stale --db target/supply/no-advisories --deny yanked \
        --file "$workspace/Cargo.lock" 2>&1) || failed "a dependency of $workspace was withdrawn"$'\n'"$said"
    lacks "$said" "couldn't check"
done
passed "crates.io has withdrawn none of the dependencies: ${workspaces[*]}"

if [ -n "${ADVISORY_DB:-}" ]; then
    for workspace in "${workspaces[@]}"; do
        cargo-audit audit --no-fetch --stale --db "$ADVISORY_DB" --deny unsound --file "$workspace/Cargo.lock" ||
            failed "an advisory of $ADVISORY_DB is about a dependency of $workspace"
    done
    passed "no advisory of $ADVISORY_DB is about a dependency: ${workspaces[*]}"
elif said=$(timeout 120 cargo-deny --locked fetch db 2>&1); then
    for workspace in "${workspaces[@]}"; do
        deny "$workspace" check --disable-fetch advisories || failed "an advisory is about a dependency of $workspace"
        cargo-audit audit --deny unsound --file "$workspace/Cargo.lock" ||
            failed "an advisory is about a dependency of $workspace"
    done
    passed "no advisory is about a dependency: ${workspaces[*]}"
else
    echo "$said" >&2
    echo "ADVISORIES: NOT CHECKED. The database cannot be reached from here; run \`make deny\` where it can be." >&2
fi
summary
