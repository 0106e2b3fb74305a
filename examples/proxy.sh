#!/bin/sh
# Any program in any language, through the proxy on this machine (assay proxy prints both variables).
curl -sS -D - "$OPENAI_BASE_URL/chat/completions" \
  -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' \
  -d '{"model":"smollm2-135m-instruct","max_tokens":16,"messages":[{"role":"user","content":"What is the capital of France?"}]}'
