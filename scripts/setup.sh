#!/bin/sh
# Installs the system packages that this checkout needs and that are missing, but for Node and npm.
#   scripts/setup.sh          what `npm ci` needs to build the addons
#   scripts/setup.sh --test   also what `.ci/run` needs
# On Debian and Ubuntu it calls apt-get, through sudo where the user is not root. On other systems
# it prints the packages and exits with 1. It does nothing where no tool is missing.
set -eu

tests=false
case "${1:-}" in
  '') ;;
  --test) tests=true ;;
  *) echo "usage: scripts/setup.sh [--test]" >&2; exit 2 ;;
esac

has() { command -v "$1" >/dev/null 2>&1; }

# CMakeLists.txt asks for CMake 3.22 or newer.
has_cmake() {
  has cmake || return 1
  version=$(cmake --version) && version=${version#cmake version }
  major=${version%%.*} minor=${version#*.} minor=${minor%%.*}
  [ "$major" -gt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -ge 22 ]; }
}
has_compiler() { has "${CXX:-c++}" || has g++ || has clang++; }
# pip fetches LibTorch, so a LibTorch or a Python that the user names makes it unnecessary.
has_pip() {
  [ -n "${SDA_LIBTORCH:-}${SDA_PYTHON:-}" ] || python3 -m pip --version >/dev/null 2>&1
}
# It is in a folder that is not in every user's PATH. Where systemd runs, its package would start a
# server, so it is not installed there, and the test of a proxy is skipped.
has_nginx() { has nginx || [ -x /usr/sbin/nginx ] || [ -d /run/systemd/system ]; }
# The names that server/test/e2e/support/browser.ts looks for.
has_browser() {
  for name in ${CHROMIUM_PATH:-chromium chromium-browser google-chrome google-chrome-stable}; do
    has "$name" && return
  done
  return 1
}
# Debian ships Clang's sanitizers and libFuzzer in a package apart from Clang, so try to link them.
has_clang_runtime() {
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null >/dev/null 2>&1
}
has_doctest() {
  echo '#include <doctest/doctest.h>' | "${CXX:-c++}" -x c++ -fsyntax-only - >/dev/null 2>&1
}

missing() {
  has_cmake || echo cmake
  has ninja || echo ninja
  has_compiler || echo compiler
  $tests || return 0
  has python3 || echo python
  has_pip || echo pip
  has git || echo git
  has g++ || echo g++
  for tool in ccache clang-format strace debootstrap; do has "$tool" || echo "$tool"; done
  has_nginx || echo nginx
  # They read and change sound files.
  has ffmpeg || echo ffmpeg
  has metaflac || echo flac
  has vorbiscomment || echo vorbis-tools
  has_browser || echo chromium
  has clang++ || echo clang
  has_clang_runtime || echo clang-runtime
  has_doctest || echo doctest
}

# The name of a tool's package.
package() {
  case "$manager:$1" in
    apt-get:ninja | dnf:ninja) echo ninja-build ;;
    apt-get:compiler | apk:compiler) echo g++ ;;
    dnf:compiler | dnf:g++) echo gcc-c++ ;;
    pacman:compiler | pacman:g++) echo gcc ;;
    apt-get:python | dnf:python) echo python3 ;;
    apt-get:pip | dnf:pip) echo python3-pip ;;
    pacman:pip) echo python-pip ;;
    apk:python) echo python3 ;;
    apk:pip) echo py3-pip ;;
    apt-get:doctest) echo doctest-dev ;;
    dnf:doctest) echo doctest-devel ;;
    dnf:clang-format | apk:clang-format) echo clang-tools-extra ;;
    pacman:clang-format) echo clang ;;
    apt-get:clang-runtime) clang_runtime ;;
    apt-get:chromium) if is_packaged chromium; then echo chromium; fi ;;
    *:clang-runtime) echo compiler-rt ;;
    *) echo "$1" ;;
  esac
}

# Its name holds Clang's version. Some releases have no such package: Clang itself then brings it.
clang_runtime() {
  version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p')
  name=libclang-rt-$version-dev
  if is_packaged "$name"; then echo "$name"; else echo clang; fi
}
# A package that others only name has no candidate: Chromium in Ubuntu.
is_packaged() {
  case "$(LC_ALL=C apt-cache policy "$1")" in '' | *'Candidate: (none)'*) return 1 ;; esac
}

packages() {
  for tool in $tools; do package "$tool"; done | sort -u | tr '\n' ' '
}

other_system() {
  for manager in dnf pacman apk; do
    case "$manager" in
      dnf) install="dnf install" ;;
      pacman) install="pacman -S" ;;
      apk) install="apk add" ;;
    esac
    has "$manager" && { echo "Missing tools. As root: $install $(packages)"; return; }
  done
  manager=brew
  if has brew; then
    tools=$(for tool in $tools; do
      case "$tool" in
        compiler | g++ | clang) echo "Missing: Apple's compiler. Run: xcode-select --install" >&2 ;;
        pip) echo python ;;
        clang-runtime) echo llvm ;;
        # Linux alone has strace and debootstrap; the tests that need them are skipped.
        strace | debootstrap | git | nginx) ;;
        *) echo "$tool" ;;
      esac
    done)
    [ -z "$tools" ] || echo "Missing tools. Run: brew install $(packages)"
    return
  fi
  echo "Missing tools, to be installed by this system's means: $(echo "$tools" | tr '\n' ' ')"
}

tools=$(missing)
[ -n "$tools" ] || exit 0

if ! has apt-get; then
  other_system >&2
  exit 1
fi

manager=apt-get
if [ "$(id -u)" -eq 0 ]; then
  root() { "$@"; }
elif has sudo; then
  echo "Installing build tools asks for your password (sudo)." >&2
  root() { sudo "$@"; }
else
  echo "Missing tools. As root: apt-get install $(packages)" >&2
  exit 1
fi
root apt-get update -qq
# RUNLEVEL: packages start no servers.
# shellcheck disable=SC2046  # One word for each package
root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
  apt-get install -y -qq --no-install-recommends $(packages)

tools=$(missing)
if [ "$tools" = chromium ]; then # Ubuntu has it as a snap only
  echo "apt-get has no Chromium: tests in a browser are skipped. CHROMIUM_PATH names another." >&2
  exit 0
fi
[ -n "$tools" ] || exit 0
echo "Still missing after the installation: $(echo "$tools" | tr '\n' ' ')" >&2
echo "CONTRIBUTING.md names the versions that are needed." >&2
exit 1
