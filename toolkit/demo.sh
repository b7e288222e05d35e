#!/usr/bin/env bash
# The whole story with the embedded model, as a user would type it. Needs `toolkit` on the PATH; about a minute.
set -euo pipefail
output=${1:-output}

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }

say toolkit finetune self_cognition.json --model tiny-qwen2
run=$(toolkit finetune self_cognition.json --model tiny-qwen2 --output "$output")

say toolkit compare
# 21: "took, but something else moved" is the honest verdict on a plain recipe; anything else but 0 is a failure.
code=0
toolkit compare "$(basename "$run")" --output "$output" || code=$?
[ "$code" = 0 ] || [ "$code" = 21 ]

say toolkit chat
printf '你是谁？\n/before\n你是谁？\n' | toolkit chat "$(basename "$run")" --output "$output"

say toolkit export --to merged
toolkit export "$(basename "$run")" --to merged --output "$output" --force

printf '\nThe run, its report and the merged model are in %s\n' "$run"
