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

/** Everything that was said under one deployment. */
export type Statements = { attestations: AttestationRecord[]; votes: VoteRecord[] }

/**
 * Block up to which a record may have forgotten something: about what happened there nothing new is signed. 'unknown'
 * after a restore, until the chain was asked how far it is.
 */
export type Floor = bigint | 'unknown' | undefined

export type SigningRecord = {
  /**
   * Records a statement before it is signed, or finds it there already.
   * @param block of the commit
   * @throws ContradictionError (`conflict`) when it contradicts what was recorded, or lies below the floor: it must then
   * never be signed
   */
  admitAttestation: (record: AttestationRecord, block: bigint) => void
  /** @param block of the proposal @throws ContradictionError (`conflict`) */
  admitVote: (record: VoteRecord, block: bigint) => void
  floor: (deploymentId: Hex) => Floor
  /** Makes the floor known, and at least this high. */
  raiseFloor: (deploymentId: Hex, block: bigint) => void
  statements: (deploymentId: Hex) => Statements
  /**
   * Adds what was said elsewhere, all of it or nothing, and from then on mistrusts itself: the floor is unknown until it
   * is raised again.
   * @param elsewhere its floor is that of the other record, where it had one
   * @returns how much of it was new
   * @throws ContradictionError (`conflict`) where it and the record, or two parts of it, contradict each other
   */
  merge: (
    deploymentId: Hex,
    elsewhere: Statements & { floor: bigint | undefined },
  ) => { attestations: number; votes: number }
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
  CREATE TABLE IF NOT EXISTS floor (
    deployment_id TEXT PRIMARY KEY,
    block TEXT,
    known INTEGER NOT NULL CHECK (known IN (0, 1))
  ) STRICT;
  CREATE TABLE IF NOT EXISTS cursor (deployment_id TEXT PRIMARY KEY, block TEXT NOT NULL) STRICT;
`

function lower<T extends string>(text: T): T {
  return text.toLowerCase() as T
}

function toAttestation(row: Record<string, unknown>): AttestationRecord {
  return {
    deploymentId: row.deployment_id as Hex,
    batchId: row.batch_id as Hex,
    committer: row.committer as Address,
    height: BigInt(row.height as string),
    root: row.root as Hex,
    verdict: row.verdict as number,
  }
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
    floor: database.prepare('SELECT block, known FROM floor WHERE deployment_id = ?'),
    setFloor: database.prepare('INSERT OR REPLACE INTO floor VALUES (?, ?, ?)'),
    attestations: database.prepare(
      'SELECT * FROM attestation WHERE deployment_id = ? ORDER BY committer, length(height), height',
    ),
    votes: database.prepare('SELECT * FROM vote WHERE deployment_id = ? ORDER BY registration_id'),
    countVotes: database.prepare('SELECT count(*) AS n FROM vote WHERE deployment_id = ?'),
  }

  const attestationOf = (deploymentId: Hex, batchId: Hex): AttestationRecord | undefined => {
    const row = prepared.byBatch.get(lower(deploymentId), lower(batchId))
    return row === undefined ? undefined : toAttestation(row)
  }
  const voteOf = (deploymentId: Hex, registrationId: Hex): boolean | undefined => {
    const row = prepared.vote.get(lower(deploymentId), lower(registrationId))
    return row === undefined ? undefined : row.valid === 1
  }

  const floor = (deploymentId: Hex): Floor => {
    const row = prepared.floor.get(lower(deploymentId))
    if (row === undefined) return undefined
    return row.known === 0 ? 'unknown' : BigInt(row.block as string)
  }
  function setFloor(deploymentId: Hex, block: bigint | undefined, isKnown: boolean): void {
    const before = prepared.floor.get(lower(deploymentId))?.block as string | null | undefined
    const highest = [before == null ? undefined : BigInt(before), block]
      .filter((at) => at !== undefined)
      .toSorted((a, b) => (a < b ? 1 : -1))[0]
    prepared.setFloor.run(lower(deploymentId), highest?.toString() ?? null, isKnown ? 1 : 0)
  }

  /** @returns whether it is on record already @throws ContradictionError */
  function isKnownAttestation(record: AttestationRecord): boolean {
    const { deploymentId, batchId, committer, height, root, verdict } = record
    const known = attestationOf(deploymentId, batchId)
    if (known !== undefined) {
      const equal =
        known.verdict === verdict &&
        known.root === lower(root) &&
        known.committer === lower(committer) &&
        known.height === height
      if (equal) return true
      throw contradiction({ batchId, recorded: known.verdict, asked: verdict })
    }
    const other = prepared.byHeight.get(lower(deploymentId), lower(committer), height.toString())
    if (other !== undefined) throw contradiction({ committer, height, recorded: other.root, asked: root })
    return false
  }

  /** @returns whether it is on record already @throws ContradictionError */
  function isKnownVote({ deploymentId, registrationId, valid }: VoteRecord): boolean {
    const known = voteOf(deploymentId, registrationId)
    if (known === undefined) return false
    if (known !== valid) throw contradiction({ registrationId, recorded: known, asked: valid })
    return true
  }

  function mustBeAbove(deploymentId: Hex, block: bigint, facts: Record<string, unknown>): void {
    const lowest = floor(deploymentId)
    if (lowest === undefined || (lowest !== 'unknown' && block > lowest)) return
    throw new ContradictionError('The record may have forgotten what was signed here; nothing new is.', {
      code: 'conflict',
      facts: { ...facts, block, floor: lowest },
      next: 'Nothing: this validator speaks again about what comes after its restore.',
    })
  }

  function addAttestation(record: AttestationRecord): void {
    const { deploymentId, batchId, committer, height, root, verdict } = record
    prepared.addAttestation.run(
      lower(deploymentId),
      lower(batchId),
      lower(committer),
      height.toString(),
      lower(root),
      verdict,
    )
  }

  function addVote({ deploymentId, registrationId, valid }: VoteRecord): void {
    prepared.addVote.run(lower(deploymentId), lower(registrationId), valid ? 1 : 0)
  }

  return {
    attestationOf,
    voteOf,
    floor,
    admitAttestation(record, block) {
      if (isKnownAttestation(record)) return
      mustBeAbove(record.deploymentId, block, { batchId: record.batchId })
      addAttestation(record)
    },
    admitVote(record, block) {
      if (isKnownVote(record)) return
      mustBeAbove(record.deploymentId, block, { registrationId: record.registrationId })
      addVote(record)
    },
    raiseFloor: (deploymentId, block) => setFloor(deploymentId, block, true),
    statements: (deploymentId) => ({
      attestations: prepared.attestations.all(lower(deploymentId)).map(toAttestation),
      votes: prepared.votes.all(lower(deploymentId)).map((row) => ({
        deploymentId: row.deployment_id as Hex,
        registrationId: row.registration_id as Hex,
        valid: row.valid === 1,
      })),
    }),
    merge(deploymentId, { attestations, votes, floor: theirs }) {
      const added = { attestations: 0, votes: 0 }
      database.exec('BEGIN IMMEDIATE')
      try {
        for (const record of attestations) {
          if (isKnownAttestation(record)) continue
          addAttestation(record)
          added.attestations++
        }
        for (const record of votes) {
          if (isKnownVote(record)) continue
          addVote(record)
          added.votes++
        }
        setFloor(deploymentId, theirs, false)
        database.exec('COMMIT')
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
      return added
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
