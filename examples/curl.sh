#!/bin/sh
# Any program in any language, with a key under a grant: what a call can cost at most, which is free to ask, and the call.
body='{"model":"smollm2-135m-instruct","max_tokens":16,"messages":[{"role":"user","content":"What is the capital of France?"}]}'
curl -sS "$OPENAI_BASE_URL/quotes?path=/v1/chat/completions" -H 'Content-Type: application/json' -d "$body"
curl -sS -D - "$OPENAI_BASE_URL/chat/completions" \
  -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' -d "$body"
