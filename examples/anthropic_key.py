"""The official Anthropic client for Python, unchanged: ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name gateway and key."""
from anthropic import Anthropic

message = Anthropic().messages.create(
    model="smollm2-135m-instruct",
    max_tokens=32,
    messages=[{"role": "user", "content": "What is the capital of France?"}],
)
print(message.content[0].text)
