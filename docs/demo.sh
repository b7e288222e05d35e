#!/usr/bin/env bash
# The whole story with the embedded model, as a user would type it. Needs `toolkit` on the PATH; about a minute.
set -euo pipefail
output=${1:-output}

say() { if [ -t 1 ]; then printf '\n\033[1m$ %s\033[0m\n' "$*"; else printf '\n$ %s\n' "$*"; fi; }

say toolkit finetune self_cognition.json --model tiny-qwen2
run=$(toolkit finetune self_cognition.json --model tiny-qwen2 --output "$output")

say toolkit compare
toolkit compare "$(basename "$run")" --output "$output" # the verdict is the exit code: anything but "passed" ends here

say toolkit chat
printf '你是谁？\n/before\n你是谁？\n' | toolkit chat "$(basename "$run")" --output "$output"

say toolkit export --to merged
toolkit export "$(basename "$run")" --to merged --output "$output" --force

printf '\nThe run, its report and the merged model are in %s\n' "$run"
