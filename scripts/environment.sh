# Sourced by the other scripts: a virtual environment of the project's own, and the system packages it needs.
# Usage: environment FOLDER EXTRAS [GROUP...]     install PACKAGE...

install() {
  local missing=()
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  ((${#missing[@]})) || return 0
  local elevate=()
  if [[ $(id -u) != 0 ]]; then elevate=(sudo -n); fi
  if command -v apt-get >/dev/null && "${elevate[@]}" true 2>/dev/null; then
    echo "installing ${missing[*]}" >&2
    # Another installation may be under way, and holds the lock meanwhile.
    local get=("${elevate[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    { "${get[@]}" update && "${get[@]}" install -y "${missing[@]}"; } >/dev/null 2>&1 && return 0
  fi
  echo "could not install ${missing[*]}; do it by hand: sudo apt-get install ${missing[*]}" >&2
}

environment() {
  local folder=$1 extras=$2; shift 2
  local groups=()
  for group in "$@"; do groups+=(--group "$group"); done
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed" >&2; exit 2; }
  python3 -c 'import ensurepip' 2>/dev/null || install python3-venv
  [[ -x $folder/bin/python ]] || python3 -m venv "$folder"
  # Nothing is installed twice: the stamp changes with what is asked for and with what the project declares.
  local stamp; stamp=$(echo "$extras $*" | cat - pyproject.toml | sha256sum)
  if [[ $(cat "$folder/stamp" 2>/dev/null) != "$stamp" ]]; then
    echo "setting up $folder (once; a few minutes)" >&2
    "$folder/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' 2>&1 | { grep -i '^error' >&2 || true; }
    "$folder/bin/python" -m pip install --quiet --editable ".[$extras]" "${groups[@]}" 2>&1 | { grep -i '^error' >&2 || true; }
    "$folder/bin/edge-asd" --version >/dev/null
    echo "$stamp" >"$folder/stamp"
  fi
}
