import type { LocalNetwork } from '../localNetwork.ts'
import {
  GUARANTEES,
  type Guarantee,
  type Started,
  startAssayGateway,
  startParts,
  startPipe,
} from './assayGateway.ts'
import { litellmMissing, startLiteLlm } from './litellm.ts'
import type { Server } from './measure.ts'
import { startPortkey } from './portkey.ts'

/** Something to measure, in front of the stub or, where its calls are paid, each by itself or under an API key, of the one that signs receipts. */
export type Row = {
  name: string
  calls: 'plain' | 'paid' | 'keyed' | 'portkey'
  /** Where all three guarantees are on, or all three off: when their first bytes come is told beside each other. */
  guarantees?: 'on' | 'off' | undefined
  start(): Promise<Started>
}

const DESCRIBED: Record<Guarantee, string> = {
  payment: 'the payment check',
  receipt: 'the receipt check',
  outbox: 'the durable outbox',
}

export type Upstreams = { stub: Server; node: Server }

/** @param createDatabase makes a fresh database of a PostgreSQL server, where there is one, and tells its address */
export function rowsOver(
  local: LocalNetwork,
  { stub, node }: Upstreams,
  createDatabase: (() => Promise<string>) | undefined,
): Row[] {
  const plain = (name: string, start: Row['start']): Row => ({ name, calls: 'plain', start })
  const paid = (name: string, start: Row['start'], guarantees?: Row['guarantees']): Row => ({
    name,
    calls: 'paid',
    guarantees,
    start,
  })
  const keyed = (name: string, start: Row['start']): Row => ({
    name,
    calls: 'keyed',
    guarantees: 'on',
    start,
  })
  const parts = (kept: readonly Guarantee[]) => () => startParts(local, node.url, kept)
  const rows = [
    plain('a bare pipe of bytes', () => startPipe(local, stub.url, 'bytes')),
    plain('a bare pipe of HTTP that checks nothing', () => startPipe(local, stub.url, 'lean')),
    plain('a bare pipe of node:http and undici', () => startPipe(local, stub.url, 'http')),
    plain('assay as a plain proxy', () => startParts(local, stub.url, [])),
    paid('our parts without all three', parts([]), 'off'),
    ...GUARANTEES.map((left) =>
      paid(`our parts without ${DESCRIBED[left]}`, parts(GUARANTEES.filter((name) => name !== left))),
    ),
    paid('our parts with all three', parts(GUARANTEES), 'on'),
    keyed('our parts with all three, API key', () =>
      startParts(local, node.url, GUARANTEES, { paidBy: 'key' }),
    ),
    paid('assay as it ships, embedded store', () => startAssayGateway(local), 'on'),
    keyed('assay as it ships, API key, embedded store', () => startAssayGateway(local)),
  ]
  if (createDatabase !== undefined) {
    // One each: what one leaves unsettled the other would settle.
    const withThree = (paidBy: 'signature' | 'key') => async () =>
      startParts(local, node.url, GUARANTEES, { paidBy, databaseUrl: await createDatabase() })
    const asItShips = async () => startAssayGateway(local, await createDatabase())
    rows.push(
      paid('our parts with all three, PostgreSQL with fsync', withThree('signature'), 'on'),
      keyed('our parts with all three, API key, PostgreSQL with fsync', withThree('key')),
      paid('assay as it ships, PostgreSQL with fsync', asItShips, 'on'),
      keyed('assay as it ships, API key, PostgreSQL with fsync', asItShips),
    )
  }
  if (litellmMissing() === undefined) {
    rows.unshift(plain('LiteLLM', () => startLiteLlm(local.folder, stub.url)))
  }
  return [{ name: '@portkey-ai/gateway', calls: 'portkey', start: startPortkey }, ...rows]
}
