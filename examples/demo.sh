#!/bin/sh
# The whole story in under a minute, on a state directory of its own: every command is printed before it runs.
#   sh demo.sh [--engine process|docker]
set -eu

stop() { printf 'demo.sh: %s\n' "$*" >&2; exit 2; }
engine=${MINI_ENGINE:-process}
case ${1:-} in
'') ;;
--engine) engine=${2:-} ;;
--engine=*) engine=${1#--engine=} ;;
*) stop "There is no $1; --engine process or --engine docker is all it takes." ;;
esac
case $engine in
process | docker) ;;
*) stop "The engine is process or docker, not '$engine'." ;;
esac
examples=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/mini-demo.XXXXXX")
export MINI_HOME="$work/home" MINI_LISTEN=127.0.0.1:0 MINI_HTTP=127.0.0.1:0 MINI_HTTPS=off MINI_ENGINE="$engine"
export GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@example.com GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@example.com

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
tell() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s$%s%s\n' "$bold" "$(typed "$@")" "$plain"; "$@"; }
typed() { # the command as one would type it
    for word; do
        case $word in
        *[!A-Za-z0-9_./:=@,%+-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
}
finish() {
    code=$?
    set +e # what has gone already neither keeps the rest nor changes the code
    MINI_NO_START=1 mini destroy -a jobs --confirm jobs >/dev/null 2>&1
    mini server stop >/dev/null 2>&1
    if [ -n "${database:-}" ]; then kill "$database" 2>/dev/null; fi
    chmod -R u+w "$work"
    rm -rf "$work"
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# Where the database listens: containers reach this machine at its address in Docker's first network.
here=127.0.0.1
if [ "$engine" = docker ]; then
    subnet=$(docker network inspect bridge --format '{{(index .IPAM.Config 0).Subnet}}') || subnet=''
    case $subnet in
    *.*.*.*/*) here=${subnet%.*}.1 ;;
    *) stop "Docker does not say where its network 'bridge' is. Start Docker, or take --engine process." ;;
    esac
fi

cp -R "$examples/web-worker" "$work/jobs"
cd "$work/jobs"

tell "An app is a git repository with a Procfile."
say cat Procfile
git init -q -b main . && git add . && git commit -qm "First version"

tell "Backing services are attached by URL in the config, never in the code. This one is a database in forty lines."
printf '%s$ python3 database_server.py %s:0 jobs.db &%s\n' "$bold" "$here" "$plain"
python3 "$examples/database_server.py" "$here:0" "$work/jobs.db" >"$work/url" &
database=$!
until [ -s "$work/url" ]; do
    kill -0 "$database" 2>/dev/null || stop "The database did not start; its lines above say why."
    sleep 0.1
done
say mini create jobs
say mini config set "DATABASE_URL=$(cat "$work/url")"

tell "A push builds the commit, runs the release phase, starts every process type, then switches."
say mini push
http=$(mini server status --json | sed -n 's/.*"http": *"\([^"]*\)".*/\1/p')
say curl -sS -H "Host: jobs.localhost" --data "hello, mini" "http://$http/jobs"

tell "Each process type is scaled on its own; what runs already is not touched."
say mini scale web=3 worker=2
say mini ps

tell "A one-off runs in the same release and config."
say mini run migrate

tell "A change is a new commit, a new build, a new release; no request is lost on the way."
sed -i 's/upper(text)/lower(text)/' worker.py
git commit -qam "Lower-case the jobs instead"
say mini push
say curl -sS -H "Host: jobs.localhost" --data "HELLO AGAIN" "http://$http/jobs"

tell "A config change is a release without a build; a rollback is a new release of an old one."
say mini config set GREETING=hi
say mini rollback
say mini releases
say curl -sS -H "Host: jobs.localhost" "http://$http/"

tell "Logs are one stream."
say mini logs -n 12
say mini destroy --confirm jobs
say mini server stop
