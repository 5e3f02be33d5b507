#!/bin/sh
# The demo: customer-360 comes up, plays its acts, and goes on running. Each act prints its evidence.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/consort/target}"
export CONSORT_HOME="${CONSORT_HOME:-$HOME/.cache/consort/demo}"
consort="$root/bin/consort"
example="$root/examples/customer-360"
evidence=$(mktemp -d)
trap 'rm -rf "$evidence"' EXIT
page=http://localhost:8360
api=http://localhost:8361

say() { printf '\n== %s\n' "$*"; }
fact() { printf '   %-34s %s\n' "$1" "$2" | tee -a "$evidence/summary"; }
fail() { echo "demo: $*" >&2; exit 1; }
inside() { (cd "$example" && "$consort" "$@"); }

say "customer-360 comes up: resources, services, a workflow, a workload, from one blueprint"
before=$(inside plan --output json 2>/dev/null | jq '.plan.actions | length')
inside up --yes --build
again=$(inside plan --detailed-exitcode >/dev/null 2>&1; echo $?)
[ "$again" = 0 ] || fail "planning again is not empty"
if [ "$before" = 0 ]; then fact "up" "nothing to do: all is as the blueprint says"; else fact "up" "$before steps; planning again: nothing to do"; fi

say "200 purchases are replayed by the legacy source; an end user watches"
done_before=$(inside exec orders curl -fsS "http://orders/replay" 2>/dev/null | jq .target)
goal=$((done_before + 200))
after=$(inside exec hub --index 1 curl -fsS "http://mailbox/stats" 2>/dev/null | jq .last_offset)
"$example/bin/watcher" --url "$page/events?after=$after" --expect 200 --timeout 120 --ready-file "$evidence/ready" >"$evidence/watch.json" 2>"$evidence/watch.err" &
watcher=$!
while [ ! -e "$evidence/ready" ]; do kill -0 $watcher 2>/dev/null || fail "the watcher ended: $(cat "$evidence/watch.err")"; sleep 0.05; done
inside exec orders curl -fsS -X POST "http://orders/replay?until=$goal&rate=100" >/dev/null 2>&1
wait $watcher || { cat "$evidence/watch.json" "$evidence/watch.err"; fail "not every message reached the end user"; }
fact "messages to the end user" "$(jq -r '"\(.count) of 200, \(.duplicates) twice, \(.order_violations) out of order"' "$evidence/watch.json")"
fact "event to end user" "$(jq -r '"p50 \(.p50_ms | round) ms, p99 \(.p99_ms | round) ms"' "$evidence/watch.json")"

say "the unified API: one view of both sources"
curl -fsS "$api/customers/1" | jq -c '{customer: .customer.id, purchases: .customer.purchases, orders: (.orders | if type == "array" then length else 1 end)}'

say "access: the workflow's token may read customers and write purchases, and no segments"
token=$(inside output read_token 2>/dev/null)
status=$(printf 'header = "authorization: Bearer %s"\n' "$token" | inside exec hub --index 1 sh -c \
    "curl -s -o /dev/null -w '%{http_code}' -K - -X PUT -H 'content-type: application/json' -d '{\"segments\":[]}' http://crm/segments" 2>/dev/null)
fact "a write with the read token" "refused with $status"
[ "$status" = 403 ] || fail "the write was answered with $status"

say "the workload: two deadlines, two mixes of node types"
inside estimate segments --deadline 2s >"$evidence/infeasible" 2>&1 && fail "2 s cannot be met"
grep -m1 -i 'nearest\|feasible' "$evidence/infeasible" || true
for deadline in 20s 90s; do
    inside workload start segments --deadline "$deadline" >"$evidence/workload-$deadline" 2>"$evidence/workload-$deadline.err" \
        || { cat "$evidence/workload-$deadline" "$evidence/workload-$deadline.err"; fail "the workload failed"; }
    cat "$evidence/workload-$deadline"
    fact "segments within $deadline" "$(sed -n 's/^  fleet *//p' "$evidence/workload-$deadline"), actual $(sed -n 's/^  actual *//p' "$evidence/workload-$deadline")"
done

say "a new version of hub rolls out under load"
version=$(curl -fsS "$page/version" | jq -r .version)
next=$([ "$version" = 1 ] && echo 2 || echo 1)
"$example/bin/load" --url "$page/version" --rate 100 --duration 60 --stop-file "$evidence/stop" >"$evidence/load.json" 2>/dev/null &
load=$!
sleep 1
inside up --yes --input "hub_version=$next"
sleep 1
touch "$evidence/stop"
wait $load || { cat "$evidence/load.json"; fail "requests failed"; }
fact "roll-out of hub under load" "$(jq -r '"\(.sent) requests, \(.failed) failed, versions \(.versions | keys | join(" and "))"' "$evidence/load.json")"
inside up --yes >/dev/null 2>&1

say "crm is away for ten seconds while purchases go on"
after=$(inside exec hub --index 1 curl -fsS "http://mailbox/stats" 2>/dev/null | jq .last_offset)
goal=$((goal + 50))
inside stop crm >/dev/null 2>&1
inside exec orders curl -fsS -X POST "http://orders/replay?until=$goal&rate=10" >/dev/null 2>&1
sleep 10
inside start crm >/dev/null 2>&1
"$example/bin/watcher" --url "$page/events?after=$after" --expect 50 --timeout 120 >"$evidence/away.json" 2>/dev/null || { cat "$evidence/away.json"; fail "messages were lost"; }
fact "crm away for 10 s" "$(jq -r '"\(.count) of 50 purchases told, \(.duplicates) twice: nothing lost"' "$evidence/away.json")"

say "a configuration file is edited by hand"
echo "by hand" >>"$example/run/settings.json"
inside drift >"$evidence/drift" 2>&1 && fail "the edit was not noticed"
head -2 "$evidence/drift"
inside up --yes >/dev/null 2>&1
inside drift >/dev/null 2>&1 || fail "the file was not put right"
fact "a file edited by hand" "noticed by drift, put right by up"

printf '\n================ customer-360 ================\n'
cat "$evidence/summary"
cat <<TEXT

   It goes on running. Look:   $page
                               $api/customers/1
                               cd examples/customer-360; ../../bin/consort ps
                               (with CONSORT_HOME=$CONSORT_HOME)
   Stop it:                    make demo-down
TEXT
