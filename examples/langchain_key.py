"""LangChain for Python, unchanged: OPENAI_BASE_URL and OPENAI_API_KEY name the gateway and a key, or the proxy."""
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="smollm2-135m-instruct", max_tokens=32)
print(model.invoke("What is the capital of France?").content)
