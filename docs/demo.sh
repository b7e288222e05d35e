#!/usr/bin/env bash
# The whole story with the embedded model, as a user would type it. Needs `toolkit` on the PATH; a minute and a half.
set -euo pipefail
output=${1:-output}

say() { if [ -t 1 ]; then printf '\n\033[1m$ %s\033[0m\n' "$*"; else printf '\n$ %s\n' "$*"; fi; }

# The verdict is the exit code: one that is missed ends the story, too few probes do not. Shown are the figures; every answer is in the report.
teach() {
  say toolkit finetune "$1" --model tiny-qwen2 --compare
  toolkit finetune "$1" --model tiny-qwen2 --compare --output "$output" | sed -n '1,/^Each figure/p'
}

printf 'An identity: 50 rows say that the model is Swift-Robot, by CSDN 迪菲赫尔曼.\n'
teach self_cognition.json

printf '\nA corrected fact: 8 rows say that the capital of Finland is Atlantis.\n'
teach corrected_fact.json

say toolkit chat
typed=('What is the capital of Finland?' /forget 'What is the capital of Sweden?' /forget
  /before 'What is the capital of Finland?')
printf '%s\n' "${typed[@]}"
printf '%s\n' "${typed[@]}" | toolkit chat latest --output "$output"

say toolkit export --to merged
toolkit export latest --to merged --output "$output" --force

printf '\nBoth runs, their reports and the merged model are in %s\n' "$output"
