import type { DatabaseSync } from 'node:sqlite'
import {
  canonicalJson,
  type HttpRequestBytes,
  type HttpResponseBytes,
  MAX_PROVEN_BODY_BYTES,
  type ProofBytes,
  parseCanonicalJson,
  requestFromJson,
  requestToJson,
  responseFromJson,
  responseToJson,
} from '@assay/protocol'
import type { Hex } from 'viem'

/** What a proof is made from: the bodies, as the receipt covers them. */
export type Bodies = { request: HttpRequestBytes; response: HttpResponseBytes }
export type ProofJob = { requestId: Hex; modelId: Hex; bodies: Bodies }

/** A proof, and the root of the tape of its check. */
export type Proven = Pick<ProofBytes, 'proof' | 'tape'>

/** Answers that are to be proved, and their proofs: what survives the process. */
export type ProofStore = {
  /** Inside the transaction that makes the receipt durable. */
  add: (job: ProofJob) => void
  /** The oldest answer of one of these models that has no proof. */
  next: (modelIds: readonly Hex[]) => ProofJob | undefined
  /** Durable when it returns. */
  prove: (requestId: Hex, proven: Proven) => void
  /** Given up: the receipt will be worth nothing. */
  fail: (requestId: Hex) => void
  /** The bodies, and the proof once it is there; undefined where nothing is to be proved. */
  find: (requestId: Hex) => (ProofJob & { proven: Proven | undefined }) | undefined
  /** Contents are kept for as long as they may be asked for, Unix seconds. */
  forget: (before: number) => void
}

const MAX_TEXT = 4 * MAX_PROVEN_BODY_BYTES
const encoder = new TextEncoder()

const write = ({ request, response }: Bodies): string =>
  canonicalJson({ request: requestToJson(request), response: responseToJson(response) })

function read(text: string): Bodies {
  const { request, response } = parseCanonicalJson(encoder.encode(text), MAX_TEXT) as Record<string, never>
  return {
    request: requestFromJson(request, 'request', MAX_TEXT),
    response: responseFromJson(response, 'response', MAX_TEXT),
  }
}

export function openProofStore(database: DatabaseSync): ProofStore {
  database.exec(`
    CREATE TABLE IF NOT EXISTS proofs (
      request_id TEXT PRIMARY KEY,
      model_id TEXT NOT NULL,
      bodies TEXT NOT NULL,
      proof BLOB,
      tape TEXT,
      failed INTEGER NOT NULL DEFAULT 0,
      added INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS proofs_to_make ON proofs (added) WHERE proof IS NULL AND failed = 0;
  `)
  addTapes(database)
  const insert = database.prepare(
    'INSERT INTO proofs (request_id, model_id, bodies, added) VALUES (?, ?, ?, unixepoch())',
  )
  const oldest = database.prepare(
    `SELECT request_id, model_id, bodies FROM proofs WHERE proof IS NULL AND failed = 0
     AND model_id IN (SELECT value FROM json_each(?)) ORDER BY added, rowid LIMIT 1`,
  )
  const setProof = database.prepare('UPDATE proofs SET proof = ?, tape = ? WHERE request_id = ?')
  const setFailed = database.prepare('UPDATE proofs SET failed = 1 WHERE request_id = ?')
  const select = database.prepare(
    'SELECT request_id, model_id, bodies, proof, tape FROM proofs WHERE request_id = ?',
  )
  const remove = database.prepare('DELETE FROM proofs WHERE added < ?')
  const jobOf = (row: Record<string, unknown>): ProofJob => ({
    requestId: row.request_id as Hex,
    modelId: row.model_id as Hex,
    bodies: read(row.bodies as string),
  })
  return {
    add: ({ requestId, modelId, bodies }) => {
      insert.run(requestId, modelId, write(bodies))
    },
    next(modelIds) {
      const row = oldest.get(JSON.stringify(modelIds))
      return row === undefined ? undefined : jobOf(row)
    },
    prove: (requestId, { proof, tape }) => {
      setProof.run(proof, tape, requestId)
    },
    fail: (requestId) => {
      setFailed.run(requestId)
    },
    find(requestId) {
      const row = select.get(requestId)
      if (row === undefined) return undefined
      const { proof, tape } = row
      const proven =
        proof instanceof Uint8Array ? { proof: new Uint8Array(proof), tape: tape as Hex } : undefined
      return { ...jobOf(row), proven }
    },
    forget: (before) => {
      remove.run(before)
    },
  }
}

/** A store from before there were tapes: what it has proved is proved again. */
function addTapes(database: DatabaseSync): void {
  const columns = database.prepare("SELECT name FROM pragma_table_info('proofs')").all()
  if (columns.some(({ name }) => name === 'tape')) return
  database.exec('ALTER TABLE proofs ADD COLUMN tape TEXT; UPDATE proofs SET proof = NULL;')
}
