import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AssayError } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { type FaultJobs, openFaultJobs } from './faults/faultJobs.ts'

/** What a validator is about to say about a batch. */
export type AttestationRecord = {
  deploymentId: Hex
  batchId: Hex
  committer: Address
  height: bigint
  root: Hex
  /** 1 valid, 2 invalid. */
  verdict: number
}

/** What a validator is about to say about a proposed key. */
export type VoteRecord = { deploymentId: Hex; registrationId: Hex; valid: boolean }

export type SigningRecord = {
  /**
   * Records a statement before it is signed, or finds it there already.
   * @throws ContradictionError (`conflict`) when it contradicts what was recorded: it must then never be signed
   */
  admitAttestation: (record: AttestationRecord) => void
  /** @throws ContradictionError (`conflict`) */
  admitVote: (record: VoteRecord) => void
  attestationOf: (deploymentId: Hex, batchId: Hex) => AttestationRecord | undefined
  voteOf: (deploymentId: Hex, registrationId: Hex) => boolean | undefined
  /** Last block scanned for events; undefined at first. */
  cursor: (deploymentId: Hex) => bigint | undefined
  setCursor: (deploymentId: Hex, block: bigint) => void
  counts: (deploymentId: Hex) => { valid: number; invalid: number; votes: number }
  /** Faults that were found, and what became of them. */
  faultJobs: (deploymentId: Hex) => FaultJobs
  close: () => void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS attestation (
    deployment_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    committer TEXT NOT NULL,
    height TEXT NOT NULL,
    root TEXT NOT NULL,
    verdict INTEGER NOT NULL CHECK (verdict IN (1, 2)),
    PRIMARY KEY (deployment_id, batch_id),
    UNIQUE (deployment_id, committer, height)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS vote (
    deployment_id TEXT NOT NULL,
    registration_id TEXT NOT NULL,
    valid INTEGER NOT NULL CHECK (valid IN (0, 1)),
    PRIMARY KEY (deployment_id, registration_id)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS cursor (deployment_id TEXT PRIMARY KEY, block TEXT NOT NULL) STRICT;
`

function lower<T extends string>(text: T): T {
  return text.toLowerCase() as T
}

/**
 * Opens the record of all that this validator ever signed: the protection against signing two things that contradict
 * each other, across crashes and restarts (the idea of EIP-3076). A statement is on disk before its signature exists.
 * The file is locked for this process: two validators with one key must not share a machine by accident.
 * @param dir the validator's own data directory
 * @throws AssayError `config` when another process holds the record
 */
export function openSigningRecord(dir: string): SigningRecord {
  mkdirSync(dir, { recursive: true })
  const database = new DatabaseSync(join(dir, 'signing.sqlite'))
  try {
    // FULL: each commit waits for the disk; the rollback journal, because the lock must be one file's.
    database.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT;',
    )
    database.exec(SCHEMA)
  } catch (cause) {
    database.close()
    throw new AssayError('The signing record cannot be opened.', {
      code: 'config',
      facts: { dir },
      next: 'Stop the other validator that uses this directory, or give this one its own.',
      cause,
    })
  }
  const prepared = {
    byBatch: database.prepare('SELECT * FROM attestation WHERE deployment_id = ? AND batch_id = ?'),
    byHeight: database.prepare(
      'SELECT * FROM attestation WHERE deployment_id = ? AND committer = ? AND height = ?',
    ),
    addAttestation: database.prepare('INSERT INTO attestation VALUES (?, ?, ?, ?, ?, ?)'),
    vote: database.prepare('SELECT valid FROM vote WHERE deployment_id = ? AND registration_id = ?'),
    addVote: database.prepare('INSERT INTO vote VALUES (?, ?, ?)'),
    cursor: database.prepare('SELECT block FROM cursor WHERE deployment_id = ?'),
    setCursor: database.prepare('INSERT OR REPLACE INTO cursor VALUES (?, ?)'),
    countVerdict: database.prepare(
      'SELECT count(*) AS n FROM attestation WHERE deployment_id = ? AND verdict = ?',
    ),
    countVotes: database.prepare('SELECT count(*) AS n FROM vote WHERE deployment_id = ?'),
  }

  const attestationOf = (deploymentId: Hex, batchId: Hex): AttestationRecord | undefined => {
    const row = prepared.byBatch.get(lower(deploymentId), lower(batchId))
    if (row === undefined) return undefined
    return {
      deploymentId: row.deployment_id as Hex,
      batchId: row.batch_id as Hex,
      committer: row.committer as Address,
      height: BigInt(row.height as string),
      root: row.root as Hex,
      verdict: row.verdict as number,
    }
  }
  const voteOf = (deploymentId: Hex, registrationId: Hex): boolean | undefined => {
    const row = prepared.vote.get(lower(deploymentId), lower(registrationId))
    return row === undefined ? undefined : row.valid === 1
  }

  return {
    attestationOf,
    voteOf,
    admitAttestation(record) {
      const { deploymentId, batchId, committer, height, root, verdict } = record
      const known = attestationOf(deploymentId, batchId)
      if (known !== undefined) {
        const equal =
          known.verdict === verdict &&
          known.root === lower(root) &&
          known.committer === lower(committer) &&
          known.height === height
        if (equal) return
        throw contradiction({ batchId, recorded: known.verdict, asked: verdict })
      }
      const other = prepared.byHeight.get(lower(deploymentId), lower(committer), height.toString())
      if (other !== undefined) throw contradiction({ committer, height, recorded: other.root, asked: root })
      prepared.addAttestation.run(
        lower(deploymentId),
        lower(batchId),
        lower(committer),
        height.toString(),
        lower(root),
        verdict,
      )
    },
    admitVote({ deploymentId, registrationId, valid }) {
      const known = voteOf(deploymentId, registrationId)
      if (known === valid) return
      if (known !== undefined) throw contradiction({ registrationId, recorded: known, asked: valid })
      prepared.addVote.run(lower(deploymentId), lower(registrationId), valid ? 1 : 0)
    },
    cursor(deploymentId) {
      const row = prepared.cursor.get(lower(deploymentId))
      return row === undefined ? undefined : BigInt(row.block as string)
    },
    setCursor(deploymentId, block) {
      prepared.setCursor.run(lower(deploymentId), block.toString())
    },
    counts(deploymentId) {
      const id = lower(deploymentId)
      return {
        valid: Number(prepared.countVerdict.get(id, 1)?.n),
        invalid: Number(prepared.countVerdict.get(id, 2)?.n),
        votes: Number(prepared.countVotes.get(id)?.n),
      }
    },
    faultJobs: (deploymentId) => openFaultJobs(database, deploymentId),
    close: () => database.close(),
  }
}

/** A statement that contradicts a recorded one. Nothing but silence may follow. */
export class ContradictionError extends AssayError {}

function contradiction(facts: Record<string, unknown>): ContradictionError {
  return new ContradictionError('This would contradict what was signed before; it is not signed.', {
    code: 'conflict',
    facts,
    next: 'Find out who committed two batches under one height, or who changed the record.',
  })
}
