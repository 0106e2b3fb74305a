/** Vectors of fault proofs. */

import type { Hex } from 'viem'
import {
  batchEntries,
  buildBatch,
  FAULT_CLASS,
  faultCommitment,
  faultIdOf,
  groupHeaders,
  nodeEquivocationProof,
  rowFaultProof,
  sumFaultProof,
  teeFaultProof,
  validatorEquivocationProof,
} from '../../src/index.ts'
import { account, committer, deployment, receiptsOf, type Vector, word } from './world.ts'

export async function faults(): Promise<Vector[]> {
  const batch = buildBatch({ deployment, committer, height: 2n ** 63n, receipts: await receiptsOf(13) })
  const [first, second] = batchEntries(batch)
  const [header] = groupHeaders(batch)
  if (first === undefined || second === undefined || header === undefined) throw new Error('no receipts')
  const { requestId } = first.receipt
  const overclaimed = groupHeaders(batch).with(0, { ...header, sum: header.sum + 1n })
  const attestation = {
    batchId: batch.batchId,
    root: batch.header.root,
    registryBlock: 7n,
    dataAvailable: true,
    verdict: 1,
  }
  const named = (verdict: number) => ({
    attestation: { ...attestation, verdict },
    signature: first.signature,
    batch: batch.header,
  })
  const proofs: [name: string, faultClass: number, proof: Hex | undefined][] = [
    ['tee', FAULT_CLASS.tee, teeFaultProof(batch, requestId)],
    ['equivocation of a node', FAULT_CLASS.equivocation, nodeEquivocationProof(first, second, batch)],
    ['equivocation of a validator', FAULT_CLASS.equivocation, validatorEquivocationProof(named(1), named(2))],
    ['sum', FAULT_CLASS.sum, sumFaultProof(batch, overclaimed, batch.batchId)],
    ['row', FAULT_CLASS.row, rowFaultProof('overcharge', batch, requestId)],
  ]
  const salt = word('salt')
  return proofs.map(([name, faultClass, proof = '0x']) => ({
    name,
    class: faultClass,
    proof,
    prover: account('prover'),
    salt,
    commitment: faultCommitment(account('prover'), faultClass, proof, salt),
    faultKey: batch.batchId,
    faultId: faultIdOf(faultClass, batch.batchId),
  }))
}
