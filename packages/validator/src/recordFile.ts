import {
  AssayError,
  canonicalJsonBytes,
  type Json,
  parseCanonicalJson,
  readAddress,
  readArray,
  readBoolean,
  readBytes,
  readObject,
  readSmallUint,
  readString,
  readUint,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import type { SigningRecord, Statements } from './signingRecord.ts'

/** Of a file, in bytes: some 800,000 statements. */
export const MAX_RECORD_BYTES = 256 * 1024 * 1024
const MAX_STATEMENTS = 4_000_000
const FORMAT = 'assay-signing-record/1'

/**
 * A validator's signing record as a file, for moving it to another machine and for backups (the interchange format of
 * EIP-3076, for what is signed here): canonical JSON of
 * `{format, deploymentId, floor, attestations: [{batchId, committer, height, root, verdict}], votes: [{registrationId, valid}]}`,
 * `floor` a block number or the empty string where there is none. Stop the validator first, and never start it there again.
 */
export function exportRecord(record: SigningRecord, deploymentId: Hex): Uint8Array {
  const { attestations, votes } = record.statements(deploymentId)
  const floor = record.floor(deploymentId)
  return canonicalJsonBytes({
    format: FORMAT,
    deploymentId: deploymentId.toLowerCase(),
    // An unknown one need not be told: whoever reads this file in begins with one.
    floor: typeof floor === 'bigint' ? floor.toString() : '',
    attestations: attestations.map(({ batchId, committer, height, root, verdict }) => ({
      batchId,
      committer,
      height: height.toString(),
      root,
      verdict,
    })),
    votes: votes.map(({ registrationId, valid }) => ({ registrationId, valid })),
  })
}

/**
 * Adds what a file says was signed. It only ever makes the record more cautious: what both know stays, what only the file
 * knows is added, and about everything up to the moment at which the validator starts again nothing new is signed, for
 * the file may be older than the last signature.
 * @returns how much of it was new
 * @throws AssayError `malformed` | `non_canonical` for what is no such file, `config` for one of another deployment,
 * `conflict` where it contradicts the record or itself; then nothing was changed
 */
export function importRecord(
  record: SigningRecord,
  deploymentId: Hex,
  file: Uint8Array,
): { attestations: number; votes: number } {
  const { statements, floor } = readRecordFile(file, deploymentId)
  return record.merge(deploymentId, { ...statements, floor })
}

function readRecordFile(
  file: Uint8Array,
  deploymentId: Hex,
): { statements: Statements; floor: bigint | undefined } {
  const members = readObject(parseCanonicalJson(file, MAX_RECORD_BYTES), 'record', [
    'attestations',
    'deploymentId',
    'floor',
    'format',
    'votes',
  ])
  const format = readString(members.format, 'record.format')
  if (format !== FORMAT) {
    throw new AssayError('The file is not a signing record of this version.', {
      code: 'malformed',
      facts: { format: format.slice(0, 64), expected: FORMAT },
    })
  }
  const found = readBytes(members.deploymentId, 'record.deploymentId', 32)
  if (found !== deploymentId.toLowerCase()) {
    throw new AssayError('The file is the record of another deployment.', {
      code: 'config',
      facts: { found, expected: deploymentId },
      next: 'Name the network that it belongs to with --network.',
    })
  }
  const floor = readString(members.floor, 'record.floor')
  return {
    floor: floor === '' ? undefined : readUint(floor, 'record.floor', 64),
    statements: {
      attestations: readArray(members.attestations, 'record.attestations', MAX_STATEMENTS).map((entry, at) =>
        attestationFrom(entry, deploymentId, `record.attestations[${at}]`),
      ),
      votes: readArray(members.votes, 'record.votes', MAX_STATEMENTS).map((entry, at) => {
        const where = `record.votes[${at}]`
        const vote = readObject(entry, where, ['registrationId', 'valid'])
        const registrationId = readBytes(vote.registrationId, `${where}.registrationId`, 32)
        return { deploymentId, registrationId, valid: readBoolean(vote.valid, `${where}.valid`) }
      }),
    },
  }
}

function attestationFrom(value: Json, deploymentId: Hex, where: string): Statements['attestations'][number] {
  const entry = readObject(value, where, ['batchId', 'committer', 'height', 'root', 'verdict'])
  const verdict = readSmallUint(entry.verdict, `${where}.verdict`, 2)
  if (verdict === 0) {
    throw new AssayError('The signing record is garbled.', { code: 'malformed', facts: { where, verdict } })
  }
  return {
    deploymentId,
    batchId: readBytes(entry.batchId, `${where}.batchId`, 32),
    committer: readAddress(entry.committer, `${where}.committer`) as Address,
    height: readUint(entry.height, `${where}.height`, 64),
    root: readBytes(entry.root, `${where}.root`, 32),
    verdict,
  }
}
