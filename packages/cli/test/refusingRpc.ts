import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Hex } from 'viem'

export type ChainCall = { to?: string; data?: string; input?: string }
/** What to say in the chain's place: the result of a call, `refuse` as a contract would, or nothing. */
export type Meddle = (method: string, call: ChainCall) => Hex | 'refuse' | undefined

type Asked = { id: unknown; method: string; params?: unknown[] }

/** A way to a chain that answers some of what is asked by itself. */
export async function openRefusingRpc(
  rpcUrl: string,
  meddle: Meddle,
): Promise<{ url: string; close(): void }> {
  async function answer(asked: Asked): Promise<unknown> {
    const said = meddle(asked.method, (asked.params?.[0] ?? {}) as ChainCall)
    const head = { jsonrpc: '2.0', id: asked.id }
    if (said === 'refuse') return { ...head, error: { code: 3, message: 'execution reverted', data: '0x' } }
    if (said !== undefined) return { ...head, result: said }
    const headers = { 'content-type': 'application/json' }
    return (await fetch(rpcUrl, { method: 'POST', headers, body: JSON.stringify(asked) })).json()
  }
  const server = createServer(async (request, response) => {
    const asked = (await json(request)) as Asked | Asked[]
    response.end(
      JSON.stringify(Array.isArray(asked) ? await Promise.all(asked.map(answer)) : await answer(asked)),
    )
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
