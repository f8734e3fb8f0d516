#!/bin/sh
# Builds libbgledger and installs it for C and C++ hosts:
#
#   [DESTDIR=…] [PREFIX=/usr/local] sh ledger-ffi/install.sh [--profile NAME | --from FOLDER] [-- CARGO OPTIONS]
#
# PREFIX is where the library will live; DESTDIR, for packagers, is put before every path that is written.
# It builds the library by cargo, in the profile "release" unless told, and hears cargo's own environment and what
# stands behind --, such as --offline. --from takes the libraries that cargo left in FOLDER instead.
# It needs cargo (unless --from), ld, objcopy and ar. It is made for ELF systems such as Linux.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/usr/local}
destination=${DESTDIR:-}
from=
profile=release
while [ $# -gt 0 ]; do
    case $1 in
    --from) from=${2:?"--from: which folder?"}; shift 2 ;;
    --profile) profile=${2:?"--profile: which one?"}; shift 2 ;;
    --) shift; break ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install.sh: unknown option $1" >&2; exit 2 ;;
    esac
done
case $prefix in
/*) ;;
*) echo "install.sh: PREFIX is not absolute: $prefix" >&2; exit 2 ;;
esac

if [ -z "$from" ]; then
    # Cargo runs where the sources are, so that it heeds their toolchain; a relative folder is the caller's, though.
    if [ -n "${CARGO_TARGET_DIR:-}" ]; then
        mkdir -p "$CARGO_TARGET_DIR"
        CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)
        export CARGO_TARGET_DIR
    fi
    # Where the libraries are depends on the target folder, the target and the profile: cargo says it.
    built=$(cd "$here/.." && "${CARGO:-cargo}" build --package bgledger-ffi --lib --locked --profile "$profile" \
        --message-format=json-render-diagnostics "$@")
    from=$(printf '%s\n' "$built" | sed -n 's|.*"\([^"]*\)/libbgledger\.so".*|\1|p' | tail -n 1)
    [ -n "$from" ] || { echo "install.sh: cargo built no libbgledger.so" >&2; exit 1; }
fi

header=$here/include/bgledger.h
version=$(sed -n 's/^#define BGL_VERSION "\(.*\)"$/\1/p' "$header")
abi=$(sed -n 's/^#define BGL_ABI_VERSION \([0-9]*\)$/\1/p' "$header")
# What a program that links the static library must link, too: `rustc --print native-static-libs`, without -lgcc_s.
# Compilers add that by themselves, and one that links all of a program statically has -lgcc_eh instead.
native='-lutil -lrt -lpthread -lm -ldl -lc'

root=$destination$prefix
lib=$root/lib
mkdir -p "$lib/pkgconfig" "$lib/cmake/bgledger" "$root/include" "$root/share/doc/bgledger"

# ---- the shared library ----
install -m 755 "$from/libbgledger.so" "$lib/libbgledger.so.$version"
ln -sf "libbgledger.so.$version" "$lib/libbgledger.so.$abi"
ln -sf "libbgledger.so.$abi" "$lib/libbgledger.so"

# ---- the static library ----
# One object in which nothing but bgl_* is visible: a host may have an SQLite, or another Rust library, of its own.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
calls=$(sed -n 's/^[a-z].*[ *]\(bgl_[a-z_]*\)(.*/\1/p' "$header" | grep -v '^bgl_cancel_callback$' | sort -u)
wanted=
for call in $calls; do wanted="$wanted --undefined=$call"; done
# shellcheck disable=SC2086 # one option a call
ld -r --gc-sections --force-group-allocation $wanted -o "$work/all.o" "$from/libbgledger.a"
# Rust's own libraries carry LLVM's bitcode along, which is of no use here and which not every `ar` can read.
objcopy --wildcard --keep-global-symbol='bgl_*' --strip-debug \
    --remove-section=.llvmbc --remove-section=.llvmcmd "$work/all.o" "$work/bgledger.o"
rm -f "$lib/libbgledger.a"
ar rcs "$lib/libbgledger.a" "$work/bgledger.o"
chmod 644 "$lib/libbgledger.a"

# ---- what finds them ----
install -m 644 "$header" "$here/include/bgledger.hpp" "$root/include/"
install -m 644 "$here/examples/record.c" "$root/share/doc/bgledger/"
fill() {
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" -e "s|@ABI@|$abi|g" -e "s|@NATIVE@|$native|g" "$1"
}
fill "$here/install/bgledger.pc.in" > "$lib/pkgconfig/bgledger.pc"
fill "$here/install/bgledger-static.pc.in" > "$lib/pkgconfig/bgledger-static.pc"
fill "$here/install/bgledgerConfig.cmake.in" > "$lib/cmake/bgledger/bgledgerConfig.cmake"
fill "$here/install/bgledgerConfigVersion.cmake.in" > "$lib/cmake/bgledger/bgledgerConfigVersion.cmake"
chmod 644 "$lib/pkgconfig"/bgledger*.pc "$lib/cmake/bgledger"/*.cmake
