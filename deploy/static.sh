#!/usr/bin/env bash
# Build the static binary, whose bytes do not tell where it was built: static.sh TARGET
# The same source, Rust and musl-gcc are to make the same bytes in any folder and with any CARGO_HOME: `make reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1

# A panic names the file it was in: ours, a dependency's, what is made while building, and the standard library's where
# its source is installed. C asks for nothing: aws-lc-sys does the like by itself.
toolchain=$(rustc --print sysroot)
commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
maps=(
    "$PWD=/vigie"
    "${CARGO_HOME:-$HOME/.cargo}=/cargo"
    "$toolchain/lib/rustlib/src/rust=/rustc/$commit"
)
# Nothing that a machine or a person sets besides may have a say. What parts the flags may be in no path.
flags=$(printf -- '--remap-path-prefix=%s\x1f' "${maps[@]}")
export CARGO_ENCODED_RUSTFLAGS=${flags%$'\x1f'}

export "CC_${target//-/_}=musl-gcc"
cargo build --release --locked --target "$target" --target-dir target
