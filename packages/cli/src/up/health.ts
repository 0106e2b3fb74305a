/** Whether a server says that it is ready. Any failure is "not yet". */
export async function isHealthy(url: string): Promise<boolean> {
  return (await readHealth(url)) !== undefined
}

/** Body of GET /health, if it is 200 and an object. */
export async function readHealth(url: string): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(new URL('/health', url), {
      redirect: 'error',
      signal: AbortSignal.timeout(3000),
    })
    if (!response.ok) {
      void response.body?.cancel()
      return undefined
    }
    const body: unknown = await response.json()
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
