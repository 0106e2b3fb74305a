"""The official OpenAI client for Python, unchanged: OPENAI_BASE_URL and OPENAI_API_KEY name the gateway and a key."""
from openai import OpenAI

stream = OpenAI().chat.completions.create(
    model="smollm2-135m-instruct",
    messages=[{"role": "user", "content": "What is the capital of France?"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
