/** Two gateways on one PostgreSQL, each with a node of its own; the wire between the second and its database can be cut. */
import assert from 'node:assert/strict'
import { findRequest, openDatabase } from '@assay/store'
import type { Hex } from 'viem'
import { startWire, type Wire } from '../../../test/history/wire.ts'
import { type PostgresServer, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { until } from '../../../test/until.ts'
import { createFakeChain, type FakeChain } from './fakeChain.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { type Script, type StubNode, startStubNode } from './stubNode.ts'

export const bytes = (text: string) => new TextEncoder().encode(text)
export const WHOLE: Script = { kind: 'whole', body: bytes('{"n":1}') }
export const STREAM: Script = { kind: 'stream', chunks: [bytes('data: 1\n\n'), bytes('data: 2\n\n')] }

export const idOf = (answer: Response): string => answer.headers.get('x-assay-request-id') ?? ''

export type CutWire = {
  chain: FakeChain
  server: PostgresServer
  wire: Wire
  nodes: [StubNode, StubNode]
  steady: Harness
  wired: Harness
  stateOf(requestId: string): Promise<string | undefined>
  /** Cuts the wire and sends a request over it. @returns its answer to come, as soon as its node has the request */
  sendOverCut(
    body: string,
    headers: Record<string, string>,
    init?: RequestInit,
  ): Promise<{ answer: Promise<Response>; isHeard(): boolean }>
  /** Sends a request over the cut wire, which heals once its node has signed and its client has heard nothing all the same. */
  waitsForWrite(body: string, headers: Record<string, string>): Promise<Response>
  /** Every node answers, and a claim was just written: the next one is not waited for. */
  refresh(): Promise<void>
  close(): Promise<void>
}

export async function startCutWire(): Promise<CutWire> {
  const chain = createFakeChain()
  const server = await startPostgres()
  const wire = await startWire(server.port)
  const databaseUrl = await server.createDatabase()
  const nodes: [StubNode, StubNode] = [await startStubNode(), await startStubNode()]
  const steady = await startHarness({ databaseUrl, chain, node: nodes[0] })
  const wired = await startHarness({
    databaseUrl: databaseUrl.replace(String(server.port), String(wire.port)),
    chain,
    node: nodes[1],
  })
  const sendOverCut: CutWire['sendOverCut'] = async (body, headers, init = {}) => {
    const before = nodes[1].requests.length
    wire.cut()
    let isHeard = false
    const answer = wired.post(body, headers, init).finally(() => {
      isHeard = true
    })
    answer.catch(() => {})
    await until(() => nodes[1].requests.length > before)
    return { answer, isHeard: () => isHeard }
  }
  return {
    ...{ chain, server, wire, nodes, steady, wired, sendOverCut },
    async stateOf(requestId) {
      const database = await openDatabase({ directory: '', databaseUrl })
      try {
        return (await findRequest(database, requestId as Hex))?.state
      } finally {
        await database.close()
      }
    },
    async waitsForWrite(body, headers) {
      const signed = nodes[1].receipts.size
      const { answer, isHeard } = await sendOverCut(body, headers)
      await until(() => nodes[1].receipts.size > signed)
      // The gateway has heard its node before it hears this.
      for (let look = 0; look < 5; look++) await fetch(`${wired.gateway.url}/health`)
      assert.equal(isHeard(), false)
      wire.heal('resume')
      return answer
    },
    async refresh() {
      for (const node of nodes) node.script = WHOLE
      assert.equal((await wired.post(BODY, await wired.payFor(BODY))).status, 200)
    },
    async close() {
      await steady.close()
      await wired.close()
      for (const node of nodes) await node.close()
      await wire.close()
      await server.close()
    },
  }
}
