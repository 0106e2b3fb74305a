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

/** Something to measure, in front of the stub or, where its calls are paid, of the one that signs receipts. */
export type Row = { name: string; calls: 'plain' | 'paid' | 'portkey'; start(): Promise<Started> }

const DESCRIBED: Record<Guarantee, string> = {
  payment: 'the payment check',
  receipt: 'the receipt check',
  outbox: 'the durable outbox',
}

/** The row that the first bytes of the others are measured against. */
export const WITHOUT = 'our parts without all three'

export type Upstreams = { stub: Server; node: Server }

/** @param databaseUrl a fresh database of a PostgreSQL server, where there is one */
export function rowsOver(
  local: LocalNetwork,
  { stub, node }: Upstreams,
  databaseUrl: string | undefined,
): Row[] {
  const plain = (name: string, start: Row['start']): Row => ({ name, calls: 'plain', start })
  const paid = (name: string, start: Row['start']): Row => ({ name, calls: 'paid', start })
  const parts = (name: string, kept: readonly Guarantee[]) =>
    paid(name, () => startParts(local, node.url, kept))
  const rows = [
    plain('a bare pipe of bytes', () => startPipe(local, stub.url, 'bytes')),
    plain('a bare pipe of node:http and undici', () => startPipe(local, stub.url, 'http')),
    plain('assay as a plain proxy', () => startParts(local, stub.url, [])),
    parts(WITHOUT, []),
    ...GUARANTEES.map((left) =>
      parts(
        `our parts without ${DESCRIBED[left]}`,
        GUARANTEES.filter((name) => name !== left),
      ),
    ),
    parts('our parts with all three', GUARANTEES),
    paid('assay as it ships, embedded store', () => startAssayGateway(local)),
  ]
  if (databaseUrl !== undefined) {
    rows.push(paid('assay as it ships, PostgreSQL with fsync', () => startAssayGateway(local, databaseUrl)))
  }
  if (litellmMissing() === undefined) {
    rows.unshift(plain('LiteLLM', () => startLiteLlm(local.folder, stub.url)))
  }
  return [{ name: '@portkey-ai/gateway', calls: 'portkey', start: startPortkey }, ...rows]
}
