#!/bin/sh
# Fuzzes one target for so many seconds, from its seeds in the repository and from what earlier runs found. What is
# found goes below target/fuzz; the repository stays as it is.
set -eu
cd "$(dirname "$0")/.."
target=$1
seconds=${2:-600}
found=target/fuzz/corpus/$target
mkdir -p "$found" target/fuzz/artifacts/"$target"
# No sanitizer: there is no `unsafe` here, and without one it is twice as fast.
cargo +nightly fuzz build --sanitizer none --target-dir target/fuzz "$target"
exec "target/fuzz/$(rustc +nightly -vV | sed -n 's/^host: //p')/release/$target" \
	-max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -reload=0 \
	-dict="fuzz/dictionaries/$target" -artifact_prefix="target/fuzz/artifacts/$target/" \
	"$found" "fuzz/corpus/$target"
