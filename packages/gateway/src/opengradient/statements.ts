import type { IncomingHttpHeaders } from 'node:http'
import { readTeeFields, type TeeStatement } from '@assay/protocol/opengradient'
import { type Database, hasStatement, recordStatement } from '@assay/store'
import type { Hex } from 'viem'
import { settlementTypeOf } from './settlementType.ts'

/** Longest time that an answer is held back because its caller asked for the hash of its own settlement, milliseconds. */
const PATIENCE_MS = 30_000
const DATA = 'data: '

/** A settlement event that was mined. */
export type Told = { transactionHash: Hex /** Hash of the batch's file. */; dataHash: Hex }

/** What the enclaves said of answers, on its way from the answer to the settlement event. */
export type Statements = {
  /** Keeps what an answer's enclave said of it, durably, unless the caller asked for nothing to be told. */
  keep(
    requestId: Hex,
    headers: IncomingHttpHeaders,
    answer: { contentType: string; body: Uint8Array },
  ): Promise<void>
  /**
   * Headers that tell of the settlement: for a call that asked for one of its own, which waits for it, since a hash is only
   * given of a transaction that was mined. None for all others, whose settlement comes behind the answer.
   */
  headersOf(requestId: Hex, headers: IncomingHttpHeaders): Promise<Record<string, string>>
  /** Wakes who waits for it. */
  told(requestId: Hex, told: Told): void
}

export function createStatements(database: Database): Statements {
  const waiting = new Map<Hex, (told: Told) => void>()
  return {
    async keep(requestId, headers, { contentType, body }) {
      const settlement = settlementTypeOf(headers)
      if (settlement === 'private') return
      const statement = statementIn(contentType, body)
      if (statement !== undefined) await recordStatement(database, requestId, settlement, statement)
    },
    async headersOf(requestId, headers) {
      if (settlementTypeOf(headers) !== 'individual') return {}
      // Of embeddings, for one, no enclave says anything in this format, and so nothing will ever be told.
      if (!(await hasStatement(database, requestId))) return {}
      const told = await new Promise<Told | undefined>((resolve) => {
        const timer = setTimeout(() => resolve(undefined), PATIENCE_MS)
        waiting.set(requestId, (told) => {
          clearTimeout(timer)
          resolve(told)
        })
      })
      waiting.delete(requestId)
      if (told === undefined) return {}
      return {
        'x-settlement-tx-hash': told.transactionHash,
        'x-settlement-walrus-blob-id': told.dataHash,
      }
    },
    told: (requestId, told) => waiting.get(requestId)?.(told),
  }
}

/** The statement in a whole answer, or in the last data frame of a stream. */
function statementIn(contentType: string, body: Uint8Array): TeeStatement | undefined {
  const text = new TextDecoder().decode(body)
  try {
    if (!/^text\/event-stream\b/i.test(contentType)) return readTeeFields(JSON.parse(text))
    const frames = text.split('\n').filter((line) => line.startsWith(DATA) && line !== `${DATA}[DONE]`)
    return readTeeFields(JSON.parse(frames.at(-1)?.slice(DATA.length) ?? 'null'))
  } catch {
    return undefined
  }
}
