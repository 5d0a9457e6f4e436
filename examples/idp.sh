# Read by the `run` of an example. It starts an idp of the example's own, which knows
# what the example's idp.yaml says and the user bob, and ends all when the example ends.
#
#   PORT      of the example (8000)
#   ISSUER_PORT  of its idp (8080)
#   IDP       the program idp; none: it is compiled from here, which needs Go
#   DATA      a folder for everything that is written; none: one that goes in the end
# shellcheck shell=bash
set -euo pipefail
unset "${!IDP_@}" # of another idp

PORT=${PORT:-8000}
ISSUER_PORT=${ISSUER_PORT:-8080}
issuer=http://localhost:$ISSUER_PORT
password="correct horse battery staple"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=${DATA:-$(mktemp -d)}

end() {
  trap '' INT TERM # a second Ctrl-C leaves nothing behind
  local signal tries
  for signal in TERM KILL; do # idp drains for some seconds
    jobs -pr | xargs -r kill -s "$signal" 2>/dev/null || true
    for ((tries = 0; tries < 60; tries++)); do
      [ -n "$(jobs -pr)" ] || break 2
      sleep 0.1
    done
  done
  [ -n "${DATA:-}" ] || rm -rf "$data"
}
trap end EXIT
trap 'exit 0' INT TERM

needs() { # needs COMMAND PACKAGE...: says what is missing, by its Debian name
  local command=$1
  shift
  [ -n "$(command -v "$command")" ] || { echo "run: $command is missing: apt-get install $*" >&2; exit 1; }
}

# ports FILE: the file, with the ports that were chosen
ports() { sed "s/:8080/:$ISSUER_PORT/g; s/:8000/:$PORT/g" "$1"; }

start_idp() { # start_idp CLIENT...: each gets a secret, in CLIENT.secret
  local client tries
  if [ -z "${IDP:-}" ]; then
    needs go golang
    "$root/scripts/build" ./cmd/idp
    IDP=$root/bin/idp
  fi
  ports idp.yaml >"$data/idp.yaml"
  (
    umask 077
    echo "$password" >"$data/bob.password"
    for client; do od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$data/$client.secret"; done
  )
  "$IDP" serve --config "$data/idp.yaml" >"$data/idp.log" 2>&1 &
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 $! 2>/dev/null || break # and whoever answers there is another
    ! "$IDP" healthcheck --config "$data/idp.yaml" >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  echo "run: idp does not answer at $issuer:" >&2
  tail -n 5 "$data/idp.log" >&2
  exit 1
}

serve() { # serve COMMAND...: starts the example and waits until it answers at PORT
  "$@" >"$data/example.log" 2>&1 &
  until (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
    kill -0 $! 2>/dev/null || { cat "$data/example.log" >&2; exit 1; }
    sleep 0.1
  done
}
